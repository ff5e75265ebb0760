/* Data sets by name, their parts and ranges, normalisation, batches. */
#include "data/batch.h"
#include "data/element.h"
#include "data/npy.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>
#include <zlib.h>

static struct dataset d;
static const struct data_options none;

static bool open_set(const char *spec, enum part part, const struct data_options *o)
{
    return dataset_open(&d, spec, part, o, &budget, &report);
}

/* `n` images of h x w whose pixel k is (i + 3 k) % 256, labels i % 10. */
static void put_idx(const char *images, const char *labels, int n, int h, int w, bool gz)
{
    unsigned char *x = malloc((size_t)(16 + n * h * w)), *y = malloc((size_t)n + 8);
    gzFile f;

    memcpy(x,
           (unsigned char[]){ 0, 0, 8, 3, 0, 0, (unsigned char)(n >> 8), (unsigned char)n, 0, 0, 0, (unsigned char)h, 0,
                              0, 0, (unsigned char)w },
           16);
    memcpy(y, (unsigned char[]){ 0, 0, 8, 1, 0, 0, (unsigned char)(n >> 8), (unsigned char)n }, 8);
    for (int i = 0; i < n; i++) {
        y[8 + i] = (unsigned char)(i % 10);
        for (int k = 0; k < h * w; k++)
            x[16 + i * h * w + k] = (unsigned char)(i + 3 * k);
    }
    for (int part = 0; part < 2; part++) {
        const size_t size = part ? 8 + (size_t)n : 16 + (size_t)(n * h * w);

        f = gzopen(part ? labels : images, gz ? "wb" : "wbT");
        ck_assert_int_eq(gzwrite(f, part ? y : x, (unsigned)size), (int)size);
        ck_assert_int_eq(gzclose(f), Z_OK);
    }
    free(x);
    free(y);
}

static void put_little(unsigned char *to, size_t value, int bytes)
{
    for (int k = 0; k < bytes; k++)
        to[k] = (unsigned char)(value >> 8 * k);
}

/* An archive of two stored arrays, made by hand: npz.c's own test has the rest of the format. */
static void put_npz(const char *path, const char *const names[], const struct tensor *const arrays[], int n)
{
    struct text out = { .budget = &budget, .report = &report }, directory = out;

    for (int i = 0; i < n; i++) {
        struct text npy = { .budget = &budget, .report = &report };
        unsigned char local[30] = { 'P', 'K', 3, 4 }, central[46] = { 'P', 'K', 1, 2 };
        union {
            char *text;
            const Bytef *bytes;
        } data;
        char name[32];
        size_t length = (size_t)snprintf(name, sizeof name, "%s.npy", names[i]);

        expect_ok(npy_write(arrays[i], names[i], &npy, &report));
        data.text = npy.data;
        for (int k = 0; k < 2; k++) {
            unsigned char *const sizes = k ? central + 16 : local + 14;

            put_little(sizes, crc32(crc32(0, NULL, 0), data.bytes, (uInt)npy.length), 4);
            put_little(sizes + 4, npy.length, 4);
            put_little(sizes + 8, npy.length, 4);
            put_little(sizes + 12, length, 2);
        }
        put_little(central + 42, out.length, 4);
        text_add(&out, (char *)local, 30);
        text_add(&out, name, length);
        text_add(&out, npy.data, npy.length);
        text_add(&directory, (char *)central, 46);
        text_add(&directory, name, length);
        text_release(&npy);
    }
    {
        unsigned char end[22] = { 'P', 'K', 5, 6 };

        end[8] = end[10] = (unsigned char)n;
        put_little(end + 12, directory.length, 4);
        put_little(end + 16, out.length, 4);
        text_add(&out, directory.data, directory.length);
        text_add(&out, (char *)end, 22);
    }
    put_file(path, out.data, out.length);
    text_release(&out);
    text_release(&directory);
}

static struct tensor array(enum dtype dtype, int rank, const int64_t *dims, void *data)
{
    struct tensor t;

    ck_assert(tensor_shape(&t, dtype, rank, dims));
    t.data = data;
    return t;
}
#define SHAPE(...)                                                                                                     \
    (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / 8), (const int64_t[])                                                   \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static void put_xy(const struct tensor *x, const struct tensor *y)
{
    put_npz("a.npz", (const char *const[]){ "x", "y" }, (const struct tensor *const[]){ x, y }, 2);
}

/* -- SPEC -- */

START_TEST(parts_and_ranges)
{
    static const struct {
        const char *spec;
        enum part part;
        int64_t limit, first, count;
    } sets[] = {
        { "fashion-mnist:fm", PART_TRAIN, 0, 0, 300 },
        { "fashion-mnist:fm", PART_TEST, 0, 0, 20 },
        { "fashion-mnist:fm:test", PART_TRAIN, 0, 0, 20 },
        { "fashion-mnist:fm:train", PART_TEST, 0, 0, 300 },
        { "fashion-mnist:fm[100:200]", PART_TRAIN, 0, 100, 100 },
        { "fashion-mnist:fm:test[15:]", PART_TRAIN, 0, 15, 5 },
        { "fashion-mnist:fm[:7]", PART_TRAIN, 0, 0, 7 },
        { "fashion-mnist:fm[:]", PART_TRAIN, 0, 0, 300 },
        { "fashion-mnist:fm[100:200]", PART_TRAIN, 30, 100, 30 },
        { "fashion-mnist:fm", PART_TRAIN, 500, 0, 300 },
        { "idx:fm/t10k-images-idx3-ubyte,fm/t10k-labels-idx1-ubyte[3:4]", PART_TEST, 0, 3, 1 },
    };

    ck_assert_int_eq(mkdir("fm", 0700), 0);
    put_idx("fm/train-images-idx3-ubyte.gz", "fm/train-labels-idx1-ubyte.gz", 300, 5, 4, true);
    put_idx("fm/t10k-images-idx3-ubyte", "fm/t10k-labels-idx1-ubyte", 20, 5, 4, false);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        expect_ok(open_set(sets[i].spec, sets[i].part, &(struct data_options){ .limit = sets[i].limit }));
        ck_assert_int_eq(d.count, sets[i].count);
        ck_assert(d.x->values.dtype == U8 && d.x->values.rank == 4 && d.x->values.dims[1] == 1 &&
                  d.x->values.dims[2] == 5 && d.x->values.dims[3] == 4);
        for (int64_t k = 0; k < d.count; k++) {
            ck_assert_int_eq(((uint8_t *)d.x->values.data)[20 * (d.from + k)], (sets[i].first + k) % 256);
            ck_assert_int_eq(((int64_t *)d.y->values.data)[d.from + k], (sets[i].first + k) % 10);
        }
        dataset_release(&d);
    }
}
END_TEST

START_TEST(a_path_tells_its_format)
{
    static const struct {
        const char *spec;
        int64_t count;
    } rows[] = {
        { "a.csv", 3 },           { "a.CSV", 3 },           { "a.csv[1:]", 2 },
        { "a.tsv", 2 },           { "./a.npz", 2 },         { "x.npy,y.npy", 2 },
        { "npy:x.npy,y.npy", 2 }, { "x.npy,y.npy[1:]", 1 }, { "a.csv,label=first", 3 },
    };
    float x[2][2] = { { 1, 2 }, { 3, 4 } };
    int64_t y[2] = { 1, 0 };
    const struct tensor samples = array(F32, SHAPE(2, 2), x), labels = array(I64, SHAPE(2), y);
    const struct data_options unlabelled = { .unlabelled = true };

    put_file("a.csv", "1,0\n2,1\n3,2\n", 12);
    put_file("a.CSV", "1,0\n2,1\n3,2\n", 12);
    put_file("a.tsv", "1\t0\n2\t1\n", 8);
    put_xy(&samples, &labels);
    expect_ok(npy_save(&samples, "x.npy", &budget, &report) && npy_save(&labels, "y.npy", &budget, &report));
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        expect_ok(open_set(rows[k].spec, PART_TRAIN, NULL));
        ck_assert_int_eq(d.count, rows[k].count);
        dataset_release(&d);
    }
    expect_ok(open_set("x.npy,y.npy", PART_TRAIN, NULL));
    ck_assert(d.y->classes == 2 && ((int64_t *)d.y->values.data)[0] == 1 && ((float *)d.x->values.data)[3] == 4);
    dataset_release(&d);
    ck_assert(!open_set("x.npy", PART_TRAIN, NULL));
    expect_error(KILN_BAD_ARGUMENT, "must name two files");
    expect_ok(open_set("x.npy", PART_TRAIN, &unlabelled));
    ck_assert(d.unlabelled && d.count == 2);
    dataset_release(&d);
    ck_assert(!open_set("x.npy,a.csv", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "not a .npy file");
    ck_assert(!open_set("y.npy,a.npz,", PART_TRAIN, NULL));
    expect_error(KILN_IO, "a.npz,");
    ck_assert(!open_set("a.npz", PART_TRAIN, &(struct data_options){ .label = "y" }));
    expect_error(KILN_BAD_ARGUMENT, "have no columns of which 'y' could be the label");
}
END_TEST

START_TEST(specs_that_are_wrong)
{
    static const struct {
        const char *spec;
        kiln_status code;
        const char *message;
    } wrong[] = {
        { "", KILN_BAD_ARGUMENT, "'' is unknown" },
        { "mnist", KILN_BAD_ARGUMENT, "'mnist' is unknown" },
        { "csv", KILN_BAD_ARGUMENT, "csv:FILE" },
        { "csv:", KILN_BAD_ARGUMENT, "csv:FILE" },
        { "cifar10:test", KILN_BAD_ARGUMENT, "cifar10:DIR" },
        { "idx:a", KILN_BAD_ARGUMENT, "IMAGES,LABELS" },
        { "idx:a,b,c", KILN_BAD_ARGUMENT, "IMAGES,LABELS" },
        { "idx:a,", KILN_BAD_ARGUMENT, "IMAGES,LABELS" },
        { "csv:a.csv:test", KILN_BAD_ARGUMENT, "no test part" },
        { "csv:a.csv[2:9]", KILN_BAD_ARGUMENT, "there are 3 samples" },
        { "csv:a.csv[3:]", KILN_BAD_ARGUMENT, "there are 3 samples" },
        { "csv:a.csv[2:2]", KILN_BAD_ARGUMENT, "holds nothing" },
        { "csv:a.csv[0:99999999999999999999]", KILN_BAD_ARGUMENT, "holds nothing" },
        { "csv:a.csv[1]", KILN_IO, "a.csv[1]" },
        { "csv:absent", KILN_IO, "absent" },
        { "npz:a.csv", KILN_BAD_DATA, "ZIP" },
        { "fashion-mnist:absent", KILN_IO, "is not there" },
        { "cifar100:absent", KILN_IO, "No such file" },
    };
    char line[1024];

    put_file("a.csv", "1,0\n2,1\n3,2\n", 12);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(!open_set(wrong[i].spec, PART_TRAIN, NULL), "'%s' was taken", wrong[i].spec);
        ck_assert_ptr_null(d.x);
        snprintf(line, sizeof line, "%s: %s", report.error.where, report.error.message);
        memcpy(report.error.message, line, sizeof report.error.message - 1); /* a path may be in the place */
        expect_error(wrong[i].code, wrong[i].message);
    }
    expect_ok(open_set("csv:a.csv[1:]", PART_TEST, NULL));
    ck_assert(d.count == 2 && d.y->classes == 3 && ((int64_t *)d.y->values.data)[d.from] == 1);
    dataset_release(&d);
}
END_TEST

START_TEST(debian_fashion_mnist)
{
    if (access("/usr/share/datasets/fashion-mnist", F_OK))
        return;
    expect_ok(open_set("fashion-mnist:test[1000:2000]", PART_TRAIN, NULL));
    ck_assert(d.count == 1000 && d.y->classes == 10 && d.x->values.dims[1] == 1 && d.x->values.dims[2] == 28 &&
              d.x->values.dims[3] == 28);
    dataset_release(&d);
}
END_TEST

/* -- what is to be predicted -- */

START_TEST(labels_of_every_form)
{
    float x[3] = { 1, 2, 3 };
    uint8_t bytes[3] = { 2, 0, 1 };
    int32_t column[3] = { 2, 0, 1 };
    double whole[3] = { 2, 0, 1 };
    float hot[12] = { 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0 };
    const struct tensor samples = array(F32, SHAPE(3, 1), x);
    const struct tensor forms[] = { array(U8, SHAPE(3), bytes), array(I32, SHAPE(3, 1), column),
                                    array(F64, SHAPE(3), whole), array(F32, SHAPE(3, 4), hot) };

    for (int i = 0; i < 4; i++) {
        put_xy(&samples, &forms[i]);
        expect_ok(open_set("npz:a.npz", PART_TEST, NULL));
        ck_assert(d.y->values.dtype == I64 && d.y->values.rank == 1 && d.y->values.dims[0] == 3 &&
                  column_has_labels(d.y));
        ck_assert_int_eq(d.y->classes, i == 3 ? 4 : 3);
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(((int64_t *)d.y->values.data)[k], bytes[k]);
        dataset_release(&d);
        expect_ok(
            open_set("npz:a.npz", PART_TEST,
                     &(struct data_options){ .targets = 1, .target = &(struct column_request){ .values = true } }));
        ck_assert(d.y->values.dtype == F32 && d.y->values.rank == forms[i].rank && !column_has_labels(d.y));
        if (i < 3)
            ck_assert(((float *)d.y->values.data)[0] == 2);
        dataset_release(&d);
    }
    hot[1] = .5f; /* fractions: values, without being asked */
    put_xy(&samples, &forms[3]);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    ck_assert(d.y->values.dtype == F32 && d.y->values.rank == 2 && !column_has_labels(d.y) &&
              ((float *)d.y->values.data)[1] == .5f);
    dataset_release(&d);
}
END_TEST

START_TEST(data_that_are_wrong)
{
    float x[4] = { 1, 2, 3, 4 };
    int64_t y[4] = { 0, 1, -1, 2 };
    struct tensor samples = array(F32, SHAPE(4, 1), x), labels = array(I64, SHAPE(4), y);
    const struct column_request ignoring = { .ignores = true, .ignored = -1 };

    put_xy(&samples, &labels);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN,
                        &(struct data_options){ .targets = 1, .target = &(struct column_request){ .classes = 5 } }));
    expect_error(KILN_BAD_DATA, "label -1 of sample 2, must be in [0, 5)");
    expect_ok(open_set("npz:a.npz", PART_TRAIN, &(struct data_options){ .targets = 1, .target = &ignoring }));
    ck_assert(d.y->classes == 3 && d.y->least == 0 && column_ignores(d.y, -1) && !column_ignores(d.y, 0));
    dataset_release(&d);
    y[2] = 5;
    put_xy(&samples, &labels);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN,
                        &(struct data_options){ .targets = 1, .target = &(struct column_request){ .classes = 5 } }));
    expect_error(KILN_BAD_DATA, "label 5 of sample 2, must be in [0, 5)");
    expect_ok(open_set("npz:a.npz", PART_TRAIN,
                       &(struct data_options){ .targets = 1, .target = &(struct column_request){ .classes = 6 } }));
    dataset_release(&d);
    y[2] = (int64_t)1 << 40;
    put_xy(&samples, &labels);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "of sample 2");
    labels.dims[0] = 3;
    put_xy(&samples, &labels);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "float[4,1], what is to be predicted is int64[3]");
    samples.dims[0] = labels.dims[0] = 0;
    put_xy(&samples, &labels);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "no data");
    samples = array(C64, SHAPE(2, 1), x);
    labels.dims[0] = 2;
    put_xy(&samples, &labels);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "must be real");
    ck_assert(!open_set("npz:a.npz:test", PART_TRAIN, NULL));
    expect_error(KILN_BAD_ARGUMENT, "no test part");
}
END_TEST

START_TEST(npz_with_parts)
{
    float x[4] = { 1, 2, 3, 4 };
    int64_t y[4] = { 0, 1, 0, 1 };
    const struct tensor samples = array(F32, SHAPE(3, 1), x), labels = array(I64, SHAPE(3), y),
                        more = array(F32, SHAPE(1, 1), x + 3), label = array(I64, SHAPE(1), y + 3);

    put_npz("k.npz", (const char *const[]){ "x_train", "y_train", "x_test", "y_test" },
            (const struct tensor *const[]){ &samples, &labels, &more, &label }, 4);
    expect_ok(open_set("npz:k.npz", PART_TRAIN, NULL));
    ck_assert_int_eq(d.count, 3);
    dataset_release(&d);
    expect_ok(open_set("npz:k.npz:test", PART_TRAIN, NULL));
    ck_assert(d.count == 1 && *(float *)d.x->values.data == 4);
    dataset_release(&d);
}
END_TEST

/* An array of that name says how much samples count, of the part that is read. */
START_TEST(npz_with_weights)
{
    float x[3] = { 1, 2, 3 };
    int64_t y[3] = { 0, 1, 0 };
    int16_t w[3] = { 5, 0, 2 };
    const struct tensor samples = array(F32, SHAPE(3, 1), x), labels = array(I64, SHAPE(3), y),
                        weights = array(I16, SHAPE(3, 1), w), few = array(I16, SHAPE(2), w);

    put_npz("w.npz", (const char *const[]){ "x_test", "y_test", "sample_weight_test", "sample_weight_train" },
            (const struct tensor *const[]){ &samples, &labels, &weights, &few }, 4);
    expect_ok(open_set("npz:w.npz:test[1:3]", PART_TRAIN, NULL));
    ck_assert(d.weights.values.dtype == F32 && d.weights.values.rank == 1 && d.weights.values.dims[0] == 3);
    for (int k = 0; k < 3; k++)
        ck_assert(((float *)d.weights.values.data)[k] == (float)w[k]);
    dataset_release(&d);
    put_npz("w.npz", (const char *const[]){ "x", "y", "sample_weight" },
            (const struct tensor *const[]){ &samples, &labels, &few }, 3);
    ck_assert(!open_set("npz:w.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "their number must be the same");
    w[1] = -1;
    put_npz("w.npz", (const char *const[]){ "x", "y", "sample_weight" },
            (const struct tensor *const[]){ &samples, &labels, &weights }, 3);
    ck_assert(!open_set("npz:w.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "the weight of sample 1 is -1, must be a number from 0 on");
}
END_TEST

/* The inputs "a" and "b" and the outputs "p" and "q" of a model; a dimension of each is open. */
static struct data_options two_of_each(void)
{
    static const struct tensor a = { .dtype = F32, .rank = 2, .dims = { UNKNOWN, 1 } },
                               b = { .dtype = I64, .rank = 2, .dims = { UNKNOWN, 2 } };
    static const struct column_request inputs[] = { { .name = "a", .type = &a }, { .name = "b", .type = &b } };
    static const struct column_request targets[] = { { .name = "p" }, { .name = "q", .values = true } };

    return (struct data_options){ .inputs = 2, .input = inputs, .targets = 2, .target = targets };
}

START_TEST(npz_by_the_names_of_a_model)
{
    float fa[4] = { 1, 2, 3, 4 };
    int64_t fb[8] = { 0, 1, 2, 3, 4, 5, 6, 7 }, labels[4] = { 0, 1, 0, 2 };
    const struct tensor ta = array(F32, SHAPE(4, 1), fa), tb = array(I64, SHAPE(4, 2), fb),
                        ty = array(I64, SHAPE(4), labels), few = array(I64, SHAPE(3), labels),
                        wide = array(I64, SHAPE(4, 1), fb);
    struct data_options o = two_of_each();
    struct normalizer n;

    put_npz("n.npz", (const char *const[]){ "q", "x", "b", "p", "a" },
            (const struct tensor *const[]){ &ty, &few, &tb, &ty, &ta }, 5);
    expect_ok(open_set("npz:n.npz[1:3]", PART_TRAIN, &o));
    ck_assert(d.inputs == 2 && d.targets == 2 && d.from == 1 && d.count == 2);
    ck_assert(strcmp(d.x[1].name, "b") == 0 && d.x[1].values.dims[1] == 2 && strcmp(d.y[0].name, "p") == 0);
    ck_assert(d.y[0].classes == 3 && d.y[1].classes == 0 && d.y[1].values.dtype == F32);
    expect_ok(normalizer_fit(&n, NORMALIZE_CENTER, &d, &budget, &report)); /* to the rows of the range */
    ck_assert(n.inputs == 2 && n.of[0].mean[0] == 2.5f && n.of[1].mean[1] == 4);
    normalizer_release(&n);
    dataset_release(&d);

    put_npz("n.npz", (const char *const[]){ "a_test", "b_test", "q_test", "y_test" },
            (const struct tensor *const[]){ &ta, &tb, &ty, &few }, 4);
    expect_ok(open_set("npz:n.npz", PART_TEST, &o)); /* one target is enough, and y is not asked for then */
    ck_assert(d.targets == 1 && strcmp(d.y->name, "q") == 0 && d.count == 4);
    dataset_release(&d);
    ck_assert(!open_set("npz:n.npz", PART_TRAIN, &o));
    expect_error(KILN_BAD_DATA,
                 "arrays 'a_train', 'b_train' are needed for inputs of the model, there are: a_test, b_test, q_test, "
                 "y_test; `kiln init` "
                 "gives parameters values, --set of `kiln adapt` or `kiln convert` gives them to inputs");

    put_npz("n.npz", (const char *const[]){ "a", "b", "y" }, (const struct tensor *const[]){ &ta, &tb, &ty }, 3);
    expect_ok(open_set("npz:n.npz", PART_TRAIN, &o)); /* without a name it is the first target's */
    ck_assert(d.targets == 1 && !d.y->name && d.y->classes == 3);
    dataset_release(&d);
    o.unnamed = 1;
    expect_ok(open_set("npz:n.npz", PART_TRAIN, &o));
    ck_assert(!d.y->name && d.y->classes == 0);
    dataset_release(&d);
    ck_assert(!open_set("npz:n.npz:test", PART_TRAIN, &o));
    expect_error(KILN_BAD_ARGUMENT, "no test part");

    put_npz("n.npz", (const char *const[]){ "a", "b", "p" }, (const struct tensor *const[]){ &ta, &tb, &few }, 3);
    ck_assert(!open_set("npz:n.npz", PART_TRAIN, &o));
    expect_error(KILN_BAD_DATA, "samples are float[4,1], what is to be predicted is int64[3]");
    put_npz("n.npz", (const char *const[]){ "a", "b", "p" }, (const struct tensor *const[]){ &ta, &few, &ty }, 3);
    ck_assert(!open_set("npz:n.npz", PART_TRAIN, &o));
    expect_error(KILN_BAD_DATA, "a sample is int64[], the model's input int64[?,2]");
    put_npz("n.npz", (const char *const[]){ "a", "b", "p" }, (const struct tensor *const[]){ &ta, &wide, &ty }, 3);
    ck_assert(!open_set("npz:n.npz", PART_TRAIN, &o));
    expect_error(KILN_BAD_DATA, "a sample is int64[1], the model's input int64[?,2]");
    labels[3] = 4;
    o.target = (const struct column_request[]){ { .name = "p", .classes = 3 }, { .name = "q", .values = true } };
    put_npz("n.npz", (const char *const[]){ "a", "b", "q", "p" }, (const struct tensor *const[]){ &ta, &tb, &ty, &ty },
            4);
    ck_assert(!open_set("npz:n.npz", PART_TRAIN, &o));
    ck_assert_str_eq(report.error.where, "npz:n.npz[p]");
    expect_error(KILN_BAD_DATA, "label 4 of sample 3");
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* Which array the samples come from where nothing need be predicted: 1 for the input's, 2 for x; 0: none. */
static int samples_without_labels(const char *const names[], int n, const char *input, bool unlabelled)
{
    float fa[4] = { 1, 1, 1, 1 }, fx[4] = { 2, 2, 2, 2 };
    const struct tensor ta = array(F32, SHAPE(4, 1), fa), tx = array(F32, SHAPE(4, 1), fx), *arrays[3];
    const struct column_request request = { .name = input, .type = &ta }, target = { .name = "p" };
    const struct data_options o = {
        .inputs = 1, .input = &request, .targets = 1, .target = &target, .unlabelled = unlabelled
    };
    int which = 0;

    for (int k = 0; k < n; k++)
        arrays[k] = strncmp(names[k], "x", 1) == 0 ? &tx : &ta;
    put_npz("u.npz", names, arrays, n);
    if (open_set("npz:u.npz", PART_TEST, &o)) {
        which = (int)*(const float *)d.x->values.data;
        ck_assert(d.count == 4 && d.unlabelled && (which == 2) == !d.x->name);
    }
    dataset_release(&d);
    return which;
}

START_TEST(npz_without_labels)
{
    static const struct {
        const char *names[3];
        int n;
        const char *input;
        bool unlabelled;
        int need;
    } cases[] = {
        { { "img" }, 1, "img", true, 1 },
        { { "img" }, 1, "img", false, 0 }, /* y is needed */
        { { "img_train", "img_test" }, 2, "img", true, 1 },
        { { "other", "img" }, 2, "img", true, 1 },
        { { "other" }, 1, "img", true, 0 },
        { { "img", "x" }, 2, "img", true, 2 }, /* as it is called where nothing is known of a model */
        { { "x" }, 1, "img", true, 2 },
        { { "x" }, 1, "x", true, 2 },
        { { "y" }, 1, "y", true, 1 }, /* an input's, no labels */
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int got = samples_without_labels(cases[k].names, cases[k].n, cases[k].input, cases[k].unlabelled);

        ck_assert_msg(got == cases[k].need, "case %zu gives %d: %s", k, got, report.error.message);
        if (!got)
            expect_error(KILN_BAD_DATA, "needed");
        report = (struct report){ 0 };
    }
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* x and y stay a pair, whatever the model calls its values, and no array is both; what else there is is not asked for. */
START_TEST(x_and_y_are_a_pair)
{
    static const struct tensor any = { .dtype = F32, .rank = UNKNOWN };
    static const struct {
        const char *input, *output, *arrays[3]; /* the first has the samples */
        const char *x, *y;                      /* what columns are called; NULL: by no name */
        bool fails;
    } cases[] = {
        { "y", "p", { "x", "y" }, NULL, NULL, false },
        { "a", "x", { "x", "y" }, NULL, NULL, false },
        { "y", "x", { "y", "x" }, "y", "x", false },
        { "a", "p", { "x", "y", "p" }, NULL, NULL, false },
        { "a", "p", { "x", "p" }, NULL, "p", false },
        { "x", "p", { "x", "y", "p" }, "x", "p", false },
        { "x", "p", { "x", "y" }, "x", NULL, false },
        { "a", "p", { "a", "y" }, "a", NULL, false },
        { "a", "a", { "a", "y" }, "a", NULL, false },
        { "a", "p", { "a", "p", "y_test" }, "a", "p", false },
        { "a", "p", { "x", "y", "y_test" }, NULL, NULL, false },
        { "a", "p", { "y", "p" }, NULL, NULL, true },
    };
    float fx[2] = { 5, 6 };
    int64_t fy[2] = { 0, 1 };
    const struct tensor x = array(F32, SHAPE(2, 1), fx), y = array(I64, SHAPE(2), fy);

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const struct column_request input = { .name = cases[k].input, .type = &any },
                                    target[] = { { .name = cases[k].output }, { .name = cases[k].output } };
        const struct data_options o = { .inputs = 1, .input = &input, .targets = 2, .target = target };
        bool ok;

        put_npz("k.npz", cases[k].arrays, (const struct tensor *const[]){ &x, &y, &y }, cases[k].arrays[2] ? 3 : 2);
        ok = open_set("npz:k.npz", PART_TRAIN, &o);
        ck_assert_msg(ok != cases[k].fails, "case %zu: %s", k, report.error.message);
        if (ok) {
            ck_assert_msg(d.targets == 1 && *(float *)d.x->values.data == 5 && d.y->classes == 2,
                          "case %zu: %zu targets, %d classes", k, d.targets, d.y->classes);
            ck_assert_msg((d.x->name ? cases[k].x && strcmp(d.x->name, cases[k].x) == 0 : !cases[k].x) &&
                              (d.y->name ? cases[k].y && strcmp(d.y->name, cases[k].y) == 0 : !cases[k].y),
                          "case %zu: '%s' and '%s'", k, d.x->name ? d.x->name : "-", d.y->name ? d.y->name : "-");
            dataset_release(&d);
        } else {
            expect_error(KILN_BAD_DATA, "one array 'x' is needed");
        }
    }
}
END_TEST

/* Formats whose columns have no names are for models with one input; what else they need is told. */
START_TEST(data_without_names_are_for_one_input)
{
    struct data_options o = two_of_each();

    put_file("a.csv", "1,0\n2,1\n3,2\n", 12);
    ck_assert(!open_set("csv:a.csv", PART_TRAIN, &o));
    expect_error(KILN_BAD_MODEL,
                 "2 inputs without a value ('a', 'b'), data of format csv are for 1; `kiln init` gives");
    o.inputs = 1;
    o.unnamed = 1;
    expect_ok(open_set("csv:a.csv", PART_TRAIN, &o));
    ck_assert(d.inputs == 1 && !d.x->name && d.y->classes == 0);
    dataset_release(&d);
}
END_TEST

/* -- split and normalise -- */

START_TEST(split_as_keras_does)
{
    struct dataset train, validation;

    put_idx("i", "l", 105, 2, 3, false);
    expect_ok(open_set("idx:i,l", PART_TRAIN, NULL));
    expect_ok(dataset_split(&d, .2, &train, &validation, &report));
    ck_assert_int_eq(train.count, 84);
    ck_assert_int_eq(validation.count, 21);
    ck_assert(train.x == d.x && validation.x == d.x && train.from == 0 && validation.from == 84);
    ck_assert(!dataset_split(&d, 0, &train, &validation, &report));
    expect_error(KILN_BAD_ARGUMENT, "between 0 and 1");
    ck_assert(!dataset_split(&d, NAN, &train, &validation, &report));
    expect_error(KILN_BAD_ARGUMENT, "between 0 and 1");
    ck_assert(!dataset_split(&d, .999, &train, &validation, &report));
    expect_error(KILN_BAD_ARGUMENT, "empty");
    dataset_release(&train); /* views own nothing */
    dataset_release(&d);
}
END_TEST

START_TEST(normalisers_have_the_statistics_of_their_training_set)
{
    /* column 0: mean 4, variance (9 + 4 + 0 + 25) / 4; column 1 never varies */
    const float first[] = { 6, 6 / 255.f, 2, 2 / (float)sqrt(9.5) }, second[] = { 10, 10 / 255.f, 3, 3 };
    float x[8] = { 1, 7, 2, 7, 4, 7, 9, 7 }, sample[2];
    int64_t y[4] = { 0, 1, 0, 1 };
    const struct tensor samples = array(F32, SHAPE(4, 2), x), labels = array(I64, SHAPE(4), y);
    struct normalizer n;

    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    for (int kind = 0; kind < NORMALIZATIONS; kind++) {
        expect_ok(normalizer_fit(&n, (enum normalization)kind, &d, &budget, &report));
        sample[0] = 6;
        sample[1] = 10;
        scaling_apply(n.of, sample, n.of->features);
        ck_assert(sample[0] == first[kind] && sample[1] == second[kind]);
        normalizer_release(&n);
    }
    dataset_release(&d);
}
END_TEST

/* -- batches -- */

static struct batches b;

static bool start_normalised(const struct normalizer *n, const struct tensor *x, const struct tensor *y, int64_t batch,
                             bool shuffle)
{
    const struct column_request input = { .type = x }, target = { .type = y };
    const struct batch_request q = { .inputs = 1, .input = &input, .targets = y != NULL, .target = &target };

    return batches_init(&b, &d, n, &q, &(struct batch_options){ .batch = batch, .shuffle = shuffle, .seed = 1 },
                        &budget, &report);
}

static bool start(const struct tensor *x, const struct tensor *y, int64_t batch, bool shuffle)
{
    return start_normalised(NULL, x, y, batch, shuffle);
}

static bool next(void *x, void *y, int64_t *count)
{
    return batches_next(&b, &x, &y, count, &report);
}

START_TEST(every_epoch_gives_each_sample_once)
{
    const struct tensor x = array(F32, SHAPE(UNKNOWN, 6), NULL), y = array(I64, SHAPE(UNKNOWN), NULL);
    float bx[6 * 8];
    int64_t by[8], count, order[2][2][105];

    put_idx("i", "l", 105, 2, 3, false);
    expect_ok(open_set("idx:i,l", PART_TRAIN, NULL));
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        expect_ok(start(&x, &y, 8, shuffle));
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
            int n = 0, seen[105] = { 0 };

            batches_start(&b, epoch);
            for (;;) {
                const int64_t told = batches_next_count(&b);

                expect_ok(next(bx, by, &count));
                ck_assert_int_eq(count, told);
                if (!count)
                    break;
                ck_assert_int_eq(count, n < 104 ? 8 : 1);
                for (int64_t i = 0; i < count; i++) {
                    const int k = (int)bx[6 * i];

                    ck_assert(k >= 0 && k < 105 && by[i] == k % 10 && bx[6 * i + 5] == (float)(k + 15));
                    seen[k]++;
                    order[shuffle][epoch][n++] = k;
                }
            }
            ck_assert_int_eq(n, 105);
            for (int k = 0; k < 105; k++)
                ck_assert_int_eq(seen[k], 1);
        }
        batches_release(&b);
    }
    for (int k = 0; k < 105; k++)
        ck_assert_int_eq(order[0][1][k], k);
    ck_assert(memcmp(order[1][0], order[0][0], sizeof order[0][0]) != 0);
    ck_assert(memcmp(order[1][0], order[1][1], sizeof order[0][0]) != 0);
    dataset_release(&d);
}
END_TEST

/* The first batch of an epoch, in an order of its own. */
START_TEST(no_two_epochs_have_one_order)
{
    static const uint64_t epochs[] = { 0, 1, 128, 256, 257, 512, 1024, 32768, 65536, 65537, 1 << 24 };
    enum { EPOCHS = sizeof epochs / sizeof *epochs };
    const struct tensor x = array(F32, SHAPE(UNKNOWN, 6), NULL), y = array(I64, SHAPE(UNKNOWN), NULL);
    float bx[EPOCHS][6 * 105];
    int64_t by[105], count;

    put_idx("i", "l", 105, 2, 3, false);
    expect_ok(open_set("idx:i,l", PART_TRAIN, NULL));
    expect_ok(start(&x, &y, 105, true));
    for (int k = 0; k < EPOCHS; k++) {
        batches_start(&b, epochs[k]);
        expect_ok(next(bx[k], by, &count));
        ck_assert_int_eq(count, 105);
        for (int before = 0; before < k; before++)
            ck_assert_msg(memcmp(bx[k], bx[before], sizeof bx[k]) != 0, "epoch %d has the order of epoch %d",
                          (int)epochs[k], (int)epochs[before]);
    }
    batches_release(&b);
    dataset_release(&d);
}
END_TEST

/* One sample [2,2,3] with the values 0 .. 11, as channels first. */
START_TEST(samples_take_the_shape_of_the_input)
{
    static const float first[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    static const float last[12] = { 0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11 };
    static const float back[12] = { 0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11 };
    const struct {
        struct tensor input;
        const float *values;
        int rank;
        int64_t dims[4];
    } ways[] = {
        { array(F32, SHAPE(1, 2, 2, 3), NULL), first, 4, { 1, 2, 2, 3 } },
        { array(F32, SHAPE(UNKNOWN, 2, 3, 2), NULL), last, 4, { 1, 2, 3, 2 } },
        { array(F32, SHAPE(UNKNOWN, UNKNOWN, 3, 2), NULL), last, 4, { 1, 2, 3, 2 } },
        { array(F32, SHAPE(5, 3, 2, 2), NULL), back, 4, { 1, 3, 2, 2 } },
        { array(F32, SHAPE(UNKNOWN, 12), NULL), first, 2, { 1, 12 } },
        { array(F32, SHAPE(UNKNOWN, UNKNOWN), NULL), first, 2, { 1, 12 } },
        { array(F32, SHAPE(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), NULL), first, 4, { 1, 2, 2, 3 } },
        { array(F32, SHAPE(UNKNOWN, 2, 1, 2, 3), NULL), first, 5, { 1, 2, 1, 2 } },
        { { .dtype = F32, .rank = UNKNOWN }, first, 4, { 1, 2, 2, 3 } },
    };
    float x[12];
    int64_t y[1] = { 0 }, count;
    const struct tensor labels = array(I64, SHAPE(1), y);
    struct tensor samples;
    float out[12];

    memcpy(x, first, sizeof x);
    samples = array(F32, SHAPE(1, 2, 2, 3), x);
    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        expect_ok(start(&ways[i].input, NULL, 1, false));
        ck_assert_int_eq(b.x->type.rank, ways[i].rank);
        for (int k = 0; k < ways[i].rank && k < 4; k++)
            ck_assert_int_eq(b.x->type.dims[k], ways[i].dims[k]);
        expect_ok(next(out, NULL, &count));
        ck_assert_mem_eq(out, ways[i].values, sizeof out);
        batches_release(&b);
    }
    {
        const struct tensor wrong[] = { array(F32, SHAPE(UNKNOWN, 4, 3), NULL), array(F32, SHAPE(UNKNOWN, 11), NULL),
                                        array(F32, SHAPE(UNKNOWN, 3, 4, 1), NULL), array(F32, SHAPE(1), NULL),
                                        array(F32, SHAPE(UNKNOWN, 6, UNKNOWN), NULL) };

        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            ck_assert(!start(&wrong[i], NULL, 1, false));
            expect_error(KILN_BAD_DATA, "a sample is float[2,2,3]");
        }
    }
    dataset_release(&d);
}
END_TEST

START_TEST(grey_images_take_a_channel_or_none)
{
    const struct tensor inputs[] = {
        array(F32, SHAPE(UNKNOWN, 5, 4), NULL),    array(F32, SHAPE(UNKNOWN, 1, 5, 4), NULL),
        array(F32, SHAPE(UNKNOWN, 5, 4, 1), NULL), array(F32, SHAPE(UNKNOWN, 20), NULL),
        array(F64, SHAPE(UNKNOWN, 5, 4, 1), NULL), array(U8, SHAPE(UNKNOWN, 5, 4), NULL),
        array(I32, SHAPE(UNKNOWN, 5, 4, 1), NULL)
    };
    const struct tensor swapped = array(F32, SHAPE(UNKNOWN, 4, 5), NULL);
    char out[20 * 8];
    int64_t count;

    put_idx("i", "l", 3, 5, 4, false);
    expect_ok(open_set("idx:i,l", PART_TRAIN, NULL));
    for (int i = 0; i < 7; i++) {
        expect_ok(start(&inputs[i], NULL, 1, false));
        expect_ok(next(out, NULL, &count));
        expect_ok(next(out, NULL, &count));
        for (int k = 0; k < 20; k++) {
            const void *at = out + k * (int)dtype_size(inputs[i].dtype);

            ck_assert_int_eq(1 + 3 * k, inputs[i].dtype == F32   ? (int)*(const float *)at
                                        : inputs[i].dtype == F64 ? (int)*(const double *)at
                                        : inputs[i].dtype == U8  ? *(const uint8_t *)at
                                                                 : *(const int32_t *)at);
        }
        batches_release(&b);
    }
    ck_assert(!start(&swapped, NULL, 1, false));
    expect_error(KILN_BAD_DATA, "a sample is uint8[1,5,4]");
    dataset_release(&d);
}
END_TEST

START_TEST(types_that_do_not_fit_are_refused)
{
    int64_t tokens[4] = { 1, -2, (int64_t)1 << 40, 4 }, y[2] = { 0, 1 }, out[4], count;
    struct tensor samples = array(I64, SHAPE(2, 2), tokens), labels = array(I64, SHAPE(2), y);
    struct tensor input = array(I64, SHAPE(UNKNOWN, 2), NULL);
    struct normalizer n;

    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_ok(start(&input, NULL, 2, false));
    expect_ok(next(out, NULL, &count));
    ck_assert_mem_eq(out, tokens, sizeof tokens);
    batches_release(&b);
    input.dtype = I32;
    expect_ok(start(&input, NULL, 2, false));
    ck_assert(!next(out, NULL, &count));
    expect_error(KILN_BAD_DATA, "sample 1 holds 1099511627776, the model's input is int32");
    batches_release(&b);
    expect_ok(normalizer_fit(&n, NORMALIZE_UNIT, &d, &budget, &report));
    ck_assert(!start_normalised(&n, &input, NULL, 1, false));
    expect_error(KILN_BAD_DATA, "normalised int64 cannot be given to an input of int32");
    dataset_release(&d);

    samples = array(I64, SHAPE(1, 4), tokens); /* a validation set with other features than the training set */
    labels = array(I64, SHAPE(1), y);
    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    input = array(F32, SHAPE(UNKNOWN, 4), NULL);
    ck_assert(!start_normalised(&n, &input, NULL, 1, false));
    expect_error(KILN_BAD_DATA, "4 features, those of the training set have 2");
    ck_assert(!start(&input, NULL, 0, false));
    expect_error(KILN_BAD_ARGUMENT, "a batch of 0");
    normalizer_release(&n);
    dataset_release(&d);
}
END_TEST

START_TEST(targets_take_the_form_of_the_input)
{
    const struct tensor x = array(F32, SHAPE(UNKNOWN, UNKNOWN), NULL);
    struct tensor y;
    float pixels[6], out[12], pair[4] = { .5f, -1, 2, 3 };
    int64_t count, index[3];
    int32_t index32[3];

    put_file("a.csv", "1,0\n2,2\n3,1\n", 12);
    expect_ok(open_set("csv:a.csv", PART_TRAIN, NULL));
    y = array(I64, SHAPE(UNKNOWN, 1), NULL);
    expect_ok(start(&x, &y, 3, false));
    expect_ok(next(pixels, index, &count));
    ck_assert(index[0] == 0 && index[1] == 2 && index[2] == 1);
    batches_release(&b);
    y = array(I32, SHAPE(UNKNOWN), NULL);
    expect_ok(start(&x, &y, 3, false));
    expect_ok(next(pixels, index32, &count));
    ck_assert(index32[0] == 0 && index32[1] == 2 && index32[2] == 1);
    batches_release(&b);
    y = array(F32, SHAPE(UNKNOWN, 4), NULL);
    expect_ok(start(&x, &y, 3, false));
    expect_ok(next(pixels, out, &count));
    ck_assert_mem_eq(out, ((const float[]){ 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0 }), sizeof out);
    batches_release(&b);
    y = array(F32, SHAPE(UNKNOWN, UNKNOWN), NULL);
    expect_ok(start(&x, &y, 3, false));
    ck_assert(b.y->type.dims[0] == 3 && b.y->type.dims[1] == 3);
    batches_release(&b);
    y = array(F32, SHAPE(UNKNOWN, 1), NULL);
    expect_ok(start(&x, &y, 3, false));
    expect_ok(next(pixels, out, &count));
    ck_assert(out[0] == 0 && out[1] == 2 && out[2] == 1);
    batches_release(&b);
    y = array(F32, SHAPE(UNKNOWN, 2), NULL); /* three classes */
    ck_assert(!start(&x, &y, 3, false));
    expect_error(KILN_BAD_DATA, "int64[3] with 3 classes, the model needs float[?,2]");
    dataset_release(&d);

    {
        const struct tensor samples = array(F32, SHAPE(2, 3), pixels), numbers = array(F32, SHAPE(2, 2), pair);

        put_xy(&samples, &numbers);
    }
    expect_ok(open_set("npz:a.npz", PART_TRAIN, &none));
    expect_ok(start(&x, &y, 2, false));
    expect_ok(next(pixels, out, &count));
    ck_assert_mem_eq(out, pair, sizeof pair);
    batches_release(&b);
    y = array(I64, SHAPE(UNKNOWN), NULL);
    ck_assert(!start(&x, &y, 2, false));
    expect_error(KILN_BAD_DATA, "float[2,2]");
    dataset_release(&d);
}
END_TEST

/* Images that are to be predicted go the way of those that they are predicted from. */
START_TEST(targets_are_turned_as_samples)
{
    const struct {
        struct tensor x, y;
        bool turned;
    } ways[] = {
        { array(F32, SHAPE(UNKNOWN, 3, 2, 2), NULL), array(F32, SHAPE(UNKNOWN, 3, 2, 2), NULL), true },
        { array(F32, SHAPE(UNKNOWN, 3, 2, 2), NULL), array(F32, SHAPE(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), NULL),
          true },
        { array(F32, SHAPE(UNKNOWN, 2, 2, 3), NULL), array(F32, SHAPE(UNKNOWN, 3, 2, 2), NULL), true },
        { array(F32, SHAPE(UNKNOWN, 2, 2, 3), NULL), array(F32, SHAPE(UNKNOWN, 2, 2, 3), NULL), false },
        { array(F32, SHAPE(UNKNOWN, 2, 2, 3), NULL), array(F32, SHAPE(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), NULL),
          false },
        { array(F32, SHAPE(UNKNOWN, 2, 2, 3), NULL), array(F32, SHAPE(UNKNOWN, 12), NULL), false },
    };
    static const float back[12] = { 0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11 };
    float x[12], ox[12], oy[12];
    const float more = _i ? 0 : .5f; /* no labels; whole numbers that a loss for numbers takes */
    uint8_t whole[12];
    struct tensor samples, pixels;
    int64_t count;

    for (int k = 0; k < 12; k++) {
        x[k] = (float)k + more;
        whole[k] = (uint8_t)k;
    }
    samples = array(F32, SHAPE(1, 2, 2, 3), x);
    pixels = array(U8, SHAPE(1, 2, 2, 3), whole);
    put_xy(&samples, _i ? &pixels : &samples);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        expect_ok(start(&ways[k].x, &ways[k].y, 1, false));
        ck_assert_int_eq(b.y->type.dims[1], ways[k].turned ? 3 : ways[k].y.rank == 2 ? 12 : 2);
        expect_ok(next(ox, oy, &count));
        for (int i = 0; i < 12; i++)
            ck_assert_float_eq(oy[i], ways[k].turned ? back[i] + more : x[i]);
        batches_release(&b);
    }
    dataset_release(&d);
}
END_TEST

/* What whole numbers are: classes of positions; numbers, where one is negative or floats are several for a sample. */
START_TEST(whole_numbers_of_every_form)
{
    static const struct {
        enum dtype dtype;
        int rank;
        int64_t dims[3];
        double values[8];
        int classes;
        int64_t least, negative;
    } forms[] = {
        { I32, 2, { 2, 3 }, { 0, 1, 2, 2, 1, 1 }, 3, 0, 0 },
        { U8, 3, { 2, 2, 2 }, { 1, 2, 1, 2, 1, 1, 2, 2 }, 3, 1, 0 },
        { F32, 2, { 2, 3 }, { 0, 1, 2, 2, 1, 1 }, 0, 0, 0 },
        { I64, 2, { 2, 3 }, { 0, 1, 0, 1, 0, 0 }, 3, 0, 0 },
        { I64, 1, { 2 }, { 3, -7 }, 0, -7, 2 },
        { F32, 2, { 2, 1 }, { 4, -1 }, 0, -1, 2 },
        { F64, 1, { 2 }, { 2, 5 }, 6, 2, 0 },
        { I32, 2, { 2, 2 }, { 1, 1, -2, 0 }, 0, -2, 2 },
        { U64, 2, { 2, 2 }, { 0, 1, 2, 1 }, 3, 0, 0 },
    };
    float x[2] = { 1, 2 };
    const struct tensor samples = array(F32, SHAPE(2, 1), x);

    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        _Alignas(8) char bytes[64];
        const struct tensor y = array(forms[k].dtype, forms[k].rank, forms[k].dims, bytes);

        for (int64_t i = 0; i < tensor_count(&y); i++)
            ck_assert(dtype_is_float(y.dtype) ? element_put(bytes, i, y.dtype, forms[k].values[i])
                      : y.dtype == U64        ? (((uint64_t *)(void *)bytes)[i] = (uint64_t)forms[k].values[i], true)
                                              : element_put_int(bytes, i, y.dtype, (int64_t)forms[k].values[i]));
        put_xy(&samples, &y);
        expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
        ck_assert_msg(d.y->classes == forms[k].classes && d.y->least == forms[k].least &&
                          d.y->negative == forms[k].negative,
                      "form %zu: %d, %d, %d", k, d.y->classes, (int)d.y->least, (int)d.y->negative);
        dataset_release(&d);
    }
}
END_TEST

/* Classes of positions as indices, as rows for each, or as numbers; open dimensions are the data's. */
START_TEST(labels_of_positions)
{
    const struct tensor x = array(F32, SHAPE(UNKNOWN, 1), NULL);
    const struct {
        struct tensor wanted;
        float values[12];
        const char *error;
    } ways[] = {
        { array(I64, SHAPE(UNKNOWN, UNKNOWN), NULL), { 0, 2, 1, 1 }, NULL },
        { array(F32, SHAPE(UNKNOWN, 2), NULL), { 0, 2, 1, 1 }, NULL },
        { array(F32, SHAPE(UNKNOWN, UNKNOWN, UNKNOWN), NULL), { 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0 }, NULL },
        { array(F32, SHAPE(UNKNOWN, 2, 2), NULL), { 0 }, "int64[2,2] with 3 classes, the model needs float[?,2,2]" },
        { array(I64, SHAPE(UNKNOWN, 3), NULL), { 0 }, "int64[2,2] with 3 classes, the model needs int64[?,3]" },
    };
    float fx[2] = { 1, 2 }, pixels[2];
    int64_t fy[4] = { 0, 2, 1, 1 }, count;
    const struct tensor samples = array(F32, SHAPE(2, 1), fx), labels = array(I64, SHAPE(2, 2), fy);

    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        const enum dtype dtype = ways[k].wanted.dtype;
        char out[12 * 8];

        ck_assert(start(&x, &ways[k].wanted, 2, false) == !ways[k].error);
        if (ways[k].error) {
            expect_error(KILN_BAD_DATA, ways[k].error);
            continue;
        }
        expect_ok(next(pixels, out, &count));
        for (int64_t i = 0; i < tensor_count(&b.y->type); i++)
            ck_assert_double_eq(element_getter(dtype)(out, i), (double)ways[k].values[i]);
        batches_release(&b);
    }
    dataset_release(&d);
}
END_TEST

/* A number that is none is told with its place, before anything is learned from it. */
START_TEST(what_is_no_number_is_found)
{
    float x[4] = { 1, 2, NAN, 4 }, y[2] = { .5f, INFINITY };
    const struct tensor samples = array(F32, SHAPE(2, 2), x), values = array(F32, SHAPE(2), y);

    put_xy(&samples, &values);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "element 0 of sample 1 is no number");
    y[1] = 1;
    put_xy(&samples, &values);
    expect_ok(open_set("npz:a.npz[0:1]", PART_TRAIN, NULL)); /* only what is used */
    dataset_release(&d);
    y[1] = INFINITY;
    x[2] = 3;
    put_xy(&samples, &values);
    ck_assert(!open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_error(KILN_BAD_DATA, "element 0 of sample 1 is infinite");
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* A probability is from 0 to 1: labels of -1 and 1 would teach something else. */
START_TEST(probabilities_are_looked_at)
{
    float x[3] = { 1, 2, 3 }, y[3] = { .5f, 1.0001f, -1 }, out[3];
    const struct tensor samples = array(F32, SHAPE(3, 1), x), values = array(F32, SHAPE(3), y),
                        type = array(F32, SHAPE(UNKNOWN, 1), NULL);
    const struct column_request in = { .type = &type }, wanted = { .type = &type, .probabilities = true };
    const struct batch_request q = { 1, 1, &in, &wanted };
    int64_t count;

    put_xy(&samples, &values);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_ok(batches_init(&b, &d, NULL, &q, &(struct batch_options){ .batch = 2 }, &budget, &report));
    expect_ok(next(out, out, &count));
    ck_assert(!next(out, out, &count));
    expect_error(KILN_BAD_DATA,
                 "what is to be predicted for sample 2 is -1, the loss needs probabilities, from 0 to 1");
    batches_release(&b);
    dataset_release(&d);
}
END_TEST

START_TEST(normalised_in_the_order_of_the_file)
{
    float x[16], out[8];
    int64_t y[2] = { 0, 1 }, count;
    const struct tensor input = array(F32, SHAPE(UNKNOWN, 2, 2, 2), NULL), labels = array(I64, SHAPE(2), y),
                        turned = array(F64, SHAPE(UNKNOWN, 2, 1, 4), NULL);
    struct tensor samples = array(F32, SHAPE(2, 2, 2, 2), x);
    struct normalizer n;
    double wide[8];

    for (int i = 0; i < 16; i++)
        x[i] = (float)(i * i);
    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_ok(normalizer_fit(&n, NORMALIZE_CENTER, &d, &budget, &report));
    expect_ok(start_normalised(&n, &input, NULL, 1, false));
    expect_ok(next(out, NULL, &count));
    for (int k = 0; k < 8; k++) /* two samples: each is half their difference from the mean */
        ck_assert(out[k] == (x[k] - x[k + 8]) / 2);
    batches_release(&b);
    dataset_release(&d);

    samples = array(F32, SHAPE(2, 4, 2, 1), x); /* [C,H,W] = [4,2,1] to [H,W,C] = [2,1,4], as double */
    put_xy(&samples, &labels);
    expect_ok(open_set("npz:a.npz", PART_TRAIN, NULL));
    expect_ok(start_normalised(&n, &turned, NULL, 1, false));
    expect_ok(next(wide, NULL, &count));
    for (int h = 0; h < 2; h++)
        for (int c = 0; c < 4; c++)
            ck_assert(wide[h * 4 + c] == (double)(x[c * 2 + h] - x[c * 2 + h + 8]) / 2);
    batches_release(&b);
    dataset_release(&d);
    normalizer_release(&n);
}
END_TEST

START_TEST(cifar10_has_the_names_beside_it)
{
    const uint8_t record[3073] = { 9 };

    put_file("test_batch.bin", record, sizeof record);
    expect_ok(open_set("cifar10:.:test", PART_TRAIN, NULL));
    ck_assert(!strcmp(d.y->class_names[0], "airplane") && !strcmp(d.y->class_names[9], "truck"));
    dataset_release(&d);
    put_file("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 20);
    expect_ok(open_set("cifar10:.:test", PART_TRAIN, NULL));
    ck_assert(!strcmp(d.y->class_names[0], "a") && !strcmp(d.y->class_names[9], "j"));
    dataset_release(&d);
}
END_TEST

/* As much memory as the whole takes, then less and less: each allocation fails once, and nothing is kept. */
START_TEST(memory_may_run_out_anywhere)
{
    const char *const specs[] = { "npz:a.npz", "csv:a.csv", "idx:i,l", "cifar10:.:test" };
    const struct tensor x = array(F32, SHAPE(UNKNOWN, UNKNOWN), NULL), y = array(I64, SHAPE(UNKNOWN), NULL);
    float pixels[60] = { 0 };
    uint8_t label[20] = { 0 }, record[3073] = { 1 };
    const struct tensor samples = array(F32, SHAPE(20, 3), pixels), labels = array(U8, SHAPE(20), label);
    struct normalizer n;

    put_xy(&samples, &labels);
    put_file("a.csv", "1,0\n2,1\n3,2\n", 12);
    put_file("test_batch.bin", record, sizeof record);
    put_idx("i", "l", 20, 2, 3, false);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        int failures = 0;
        bool ok = true;

        budget.limit = 0;
        budget.peak = 0;
        for (size_t limit = SIZE_MAX; limit > 64; limit = budget.limit - 64) {
            budget.limit = limit == SIZE_MAX ? 0 : limit;
            ok = open_set(specs[i], PART_TRAIN, NULL);
            if (ok) {
                ok = normalizer_fit(&n, NORMALIZE_STANDARDIZE, &d, &budget, &report);
                if (ok) {
                    ok = start_normalised(&n, &x, &y, 4, true);
                    if (ok)
                        batches_release(&b);
                }
                normalizer_release(&n);
                dataset_release(&d);
            }
            ck_assert(ok != failed(&report));
            ck_assert_uint_eq(budget.used, 0);
            if (!ok)
                expect_error(KILN_LIMIT, "memory limit");
            failures += !ok;
            if (!budget.limit)
                budget.limit = budget.peak;
        }
        ck_assert(!ok);
        ck_assert_int_gt(failures, 5);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("dataset");

    add_test_between(s, enter_scratch, leave_scratch, parts_and_ranges);
    add_test_between(s, enter_scratch, leave_scratch, a_path_tells_its_format);
    add_test_between(s, enter_scratch, leave_scratch, specs_that_are_wrong);
    add_test_between(s, enter_scratch, leave_scratch, debian_fashion_mnist);
    add_test_between(s, enter_scratch, leave_scratch, labels_of_every_form);
    add_test_between(s, enter_scratch, leave_scratch, data_that_are_wrong);
    add_test_between(s, enter_scratch, leave_scratch, npz_with_parts);
    add_test_between(s, enter_scratch, leave_scratch, npz_with_weights);
    add_test_between(s, enter_scratch, leave_scratch, npz_by_the_names_of_a_model);
    add_test_between(s, enter_scratch, leave_scratch, npz_without_labels);
    add_test_between(s, enter_scratch, leave_scratch, x_and_y_are_a_pair);
    add_test_between(s, enter_scratch, leave_scratch, data_without_names_are_for_one_input);
    add_test_between(s, enter_scratch, leave_scratch, split_as_keras_does);
    add_test_between(s, enter_scratch, leave_scratch, normalisers_have_the_statistics_of_their_training_set);
    add_test_between(s, enter_scratch, leave_scratch, every_epoch_gives_each_sample_once);
    add_test_between(s, enter_scratch, leave_scratch, no_two_epochs_have_one_order);
    add_test_between(s, enter_scratch, leave_scratch, samples_take_the_shape_of_the_input);
    add_test_between(s, enter_scratch, leave_scratch, grey_images_take_a_channel_or_none);
    add_test_between(s, enter_scratch, leave_scratch, types_that_do_not_fit_are_refused);
    add_test_between(s, enter_scratch, leave_scratch, targets_take_the_form_of_the_input);
    add_tests_between(s, enter_scratch, leave_scratch, targets_are_turned_as_samples, 2);
    add_test_between(s, enter_scratch, leave_scratch, probabilities_are_looked_at);
    add_test_between(s, enter_scratch, leave_scratch, whole_numbers_of_every_form);
    add_test_between(s, enter_scratch, leave_scratch, labels_of_positions);
    add_test_between(s, enter_scratch, leave_scratch, what_is_no_number_is_found);
    add_test_between(s, enter_scratch, leave_scratch, normalised_in_the_order_of_the_file);
    add_test_between(s, enter_scratch, leave_scratch, cifar10_has_the_names_beside_it);
    add_test_between(s, enter_scratch, leave_scratch, memory_may_run_out_anywhere);
    return s;
}
