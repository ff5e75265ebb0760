/* Data sets that are streams: what is read of files one sample after the other, the window that shuffles it. */
#include "data/stream.h"
#include "base/random.h"
#include "base/text.h"
#include "data/batch.h"
#include "data/npy.h"
#include "data/npz_write.h"
#include "scratch.h"
#include <zlib.h>

enum { SAMPLES = 37, FEATURES = 3, BATCH = 5 };

/* -- files of every format with the same samples -- */

static float number(int sample, int k)
{
    return (float)(sample * 7 + k) - 20;
}

static void put_text(const char *name, const struct text *t)
{
    put_file(name, t->data, t->length);
}

static void put_npy(const char *name, const struct tensor *t)
{
    expect_ok(npy_save(t, name, &budget, &report));
}

static float x[SAMPLES][FEATURES];
static int64_t y[SAMPLES];
static int32_t hot[SAMPLES][3];
static double fractions[SAMPLES], weights[SAMPLES];

static void make_numbers(void)
{
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < FEATURES; k++)
            x[i][k] = number(i, k);
        y[i] = (i + i / 5) % 3;
        memset(hot[i], 0, sizeof hot[i]);
        hot[i][y[i]] = 1;
        fractions[i] = i + .25;
        weights[i] = i % 4;
    }
}

static struct tensor array(enum dtype dtype, int rank, int64_t width, void *data)
{
    return (struct tensor){ .dtype = dtype, .rank = rank, .dims = { SAMPLES, width }, .data = data };
}

static void put_csv(const char *name, bool names)
{
    static const char *const classes[] = { "zebra", "ant", "bee" };
    struct text t = { .budget = &budget, .report = &report };

    text_printf(&t, "a,b,c,kind\n");
    for (int i = 0; i < SAMPLES; i++)
        if (names)
            text_printf(&t, "%g,%g,%g,%s\n", (double)x[i][0], (double)x[i][1], (double)x[i][2], classes[y[i]]);
        else
            text_printf(&t, "%g,%g,%g,%d\n", (double)x[i][0], (double)x[i][1], (double)x[i][2], (int)y[i]);
    put_text(name, &t);
    text_release(&t);
}

/* IDX, plain or gzipped: bytes of shape [SAMPLES, 2, 2], and labels. */
static void put_idx(bool gz)
{
    unsigned char images[16 + SAMPLES * 4] = { 0, 0, 8, 3, 0, 0, 0, SAMPLES, 0, 0, 0, 2, 0, 0, 0, 2 };
    unsigned char labels[8 + SAMPLES] = { 0, 0, 8, 1, 0, 0, 0, SAMPLES };
    gzFile f;

    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < 4; k++)
            images[16 + 4 * i + k] = (unsigned char)(5 * i + k);
        labels[8 + i] = (unsigned char)y[i];
    }
    put_file("labels", labels, sizeof labels);
    put_file("images", images, sizeof images);
    if (!gz)
        return;
    f = gzopen("images.gz", "wb");
    ck_assert_int_eq(gzwrite(f, images, sizeof images), sizeof images);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

static bool put_members(void *user, struct file_sink *to)
{
    struct npz_writer w;
    const struct tensor tx = array(F32, 2, FEATURES, x), ty = array(I64, 1, 0, y), tw = array(F64, 1, 0, weights);

    (void)user;
    npz_begin(&w, to, &budget, &report);
    return npz_end(&w, npz_put(&w, "x", &tx) && npz_put(&w, "y", &ty) && npz_put(&w, "sample_weight", &tw));
}

static void put_cifar(void)
{
    static unsigned char records[4][3073];

    for (int file = 1; file <= 5; file++) {
        char name[32];

        for (int i = 0; i < 4; i++)
            for (int k = 0; k < 3073; k++)
                records[i][k] = (unsigned char)(k ? file * 50 + i + k : file + i);
        snprintf(name, sizeof name, "data_batch_%d.bin", file);
        put_file(name, records, sizeof records);
    }
}

static void put_all(void)
{
    const struct tensor tx = array(F32, 2, FEATURES, x), ty = array(I64, 1, 0, y), th = array(I32, 2, 3, hot);
    const struct tensor tf = array(F64, 1, 0, fractions);

    make_numbers();
    put_csv("numbers.csv", false);
    put_csv("names.csv", true);
    put_idx(true);
    put_npy("x.npy", &tx);
    put_npy("y.npy", &ty);
    put_npy("hot.npy", &th);
    put_npy("fractions.npy", &tf);
    expect_ok(file_produce_model("all.npz", put_members, NULL, &report));
    put_cifar();
}

static const char *const specs[] = {
    "csv:numbers.csv", "csv:names.csv",         "csv:names.csv[5:30]",     "idx:images,labels", "idx:images.gz,labels",
    "npy:x.npy,y.npy", "npy:x.npy,hot.npy[3:]", "npy:x.npy,fractions.npy", "npz:all.npz",       "npz:all.npz[:11]",
    "cifar10:."
};

static struct dataset open_data(const char *spec, int64_t window)
{
    const struct data_options o = { .window = window };
    struct dataset d;

    expect_ok(dataset_open(&d, spec, PART_TRAIN, &o, &budget, &report));
    ck_assert(!d.stream == !window);
    return d;
}

static void same_column(const char *spec, const struct column *a, const struct column *b)
{
    struct tensor s = column_sample(a), t = column_sample(b);

    ck_assert_msg(same_type(&s, &t) && a->classes == b->classes && a->least == b->least, "%s: %d and %d classes", spec,
                  a->classes, b->classes);
    for (int k = 0; a->class_names && k < a->classes; k++)
        ck_assert_str_eq(a->class_names[k], b->class_names[k]);
    ck_assert(!a->class_names == !b->class_names);
}

static void same_rows(const char *spec, const struct column *a, int64_t i, const struct column *b, int64_t j, int64_t n)
{
    const size_t row = (size_t)row_bytes(&a->values);

    ck_assert_msg(memcmp((char *)a->values.data + (size_t)i * row, (char *)b->values.data + (size_t)j * row,
                         (size_t)n * row) == 0,
                  "%s: samples %lld ... differ", spec, (long long)i);
}

/* Of every format a stream has what is in memory else: types, classes and their names, every value. */
START_TEST(streams_are_as_in_memory)
{
    put_all();
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        struct dataset all = open_data(specs[k], 0), d = open_data(specs[k], 4);
        int64_t at = all.from;
        struct walk w;

        ck_assert(d.from == all.from && d.count == all.count && !d.x->values.data);
        same_column(specs[k], all.x, d.x);
        same_column(specs[k], all.y, d.y);
        ck_assert(dataset_is_weighted(&all) == dataset_is_weighted(&d));
        expect_ok(walk_begin(&w, &d, &budget, &report));
        for (;;) {
            expect_ok(walk_next(&w, &report));
            if (!w.count)
                break;
            ck_assert_int_eq(w.first, at);
            same_rows(specs[k], all.x, at, w.x, w.from, w.count);
            same_rows(specs[k], all.y, at, w.y, w.from, w.count);
            if (dataset_is_weighted(&all))
                ck_assert(memcmp((float *)all.weights.values.data + at, w.to.weights, 4 * (size_t)w.count) == 0);
            at += w.count;
        }
        ck_assert_int_eq(at, all.from + all.count);
        ck_assert_uint_eq(d.x->sum, crc32_z(0, (Bytef *)all.x->values.data + all.from * row_bytes(&all.x->values),
                                            (size_t)(all.count * row_bytes(&all.x->values))));
        ck_assert_uint_eq(d.y->sum, crc32_z(0, (Bytef *)all.y->values.data + all.from * row_bytes(&all.y->values),
                                            (size_t)(all.count * row_bytes(&all.y->values))));
        walk_end(&w);
        dataset_release(&d);
        dataset_release(&all);
    }
}
END_TEST

/* -- the window -- */

/* tf.data's shuffle, as its documentation has it: a buffer is filled; of it one is drawn and replaced by the next. */
static void shuffle_as_defined(int64_t *out, int64_t n, int64_t window, uint64_t seed, uint64_t epoch)
{
    int64_t buffer[SAMPLES], held = 0, next = 0;

    while (held < window && next < n)
        buffer[held++] = next++;
    for (int64_t k = 0; k < n; k++) {
        const int64_t place = random_index(held, seed, random_stream(RANDOM_NODE_WINDOW, epoch), (uint64_t)k);

        out[k] = buffer[place];
        buffer[place] = next < n ? next++ : buffer[--held];
    }
}

static struct batches begin(const struct dataset *d, int64_t batch, bool shuffle, uint64_t seed)
{
    const struct tensor in = { .dtype = F32, .rank = 2, .dims = { UNKNOWN, FEATURES } };
    const struct tensor out = { .dtype = I64, .rank = 1, .dims = { UNKNOWN } };
    const struct column_request rx = { .name = "x", .type = &in }, ry = { .name = "y", .type = &out };
    const struct batch_request q = { 1, 1, &rx, &ry };
    const struct batch_options o = { .batch = batch, .shuffle = shuffle, .seed = seed };
    struct batches b;

    expect_ok(batches_init(&b, d, NULL, &q, &o, &budget, &report));
    return b;
}

/* The samples' numbers in the order in which they come, behind the first `at`; how many there are. */
static int64_t read_order(struct batches *b, uint64_t epoch, int64_t at, int64_t *order)
{
    float to_x[SAMPLES * FEATURES];
    int64_t to_y[SAMPLES], n = 0, count = 1;
    void *const px[] = { to_x }, *const py[] = { to_y };

    batches_start(b, epoch);
    b->at = at;
    while (count) {
        expect_ok(batches_next(b, px, py, &count, &report));
        for (int64_t i = 0; i < count; i++) {
            const int64_t sample = ((int64_t)to_x[i * FEATURES] + 20) / 7;

            ck_assert(memcmp(to_x + i * FEATURES, x[sample], sizeof x[sample]) == 0);
            ck_assert_int_eq(to_y[i], y[sample]);
            order[n++] = sample;
        }
        ck_assert(count == b->options.batch || n + at == SAMPLES);
    }
    return n;
}

START_TEST(the_window_is_tf_datas)
{
    static const int64_t windows[] = { 1, 2, 4, 10, SAMPLES - 1, SAMPLES, 1000 };
    int64_t order[SAMPLES], need[SAMPLES], seen[SAMPLES], before[SAMPLES];

    make_numbers();
    put_csv("numbers.csv", false);
    for (size_t k = 0; k < sizeof windows / sizeof *windows; k++)
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            struct dataset d = open_data("csv:numbers.csv", windows[k]);
            struct batches b = begin(&d, BATCH, true, 11);

            ck_assert_int_eq(read_order(&b, epoch, 0, order), SAMPLES);
            shuffle_as_defined(need, SAMPLES, windows[k], 11, epoch);
            ck_assert(memcmp(order, need, sizeof order) == 0);
            memset(seen, 0, sizeof seen);
            for (int i = 0; i < SAMPLES; i++) {
                ck_assert_int_eq(seen[order[i]]++, 0); /* each comes once */
                ck_assert(order[i] < i + windows[k]);  /* none before it was in the window */
            }
            ck_assert(windows[k] > 1 || order[SAMPLES - 1] == SAMPLES - 1);
            if (epoch && windows[k] > 1)
                ck_assert(memcmp(order, before, sizeof order) != 0);
            memcpy(before, order, sizeof order);
            batches_release(&b);
            dataset_release(&d);
        }
}
END_TEST

START_TEST(a_pass_goes_on_where_it_was)
{
    struct dataset d;
    struct batches b;
    int64_t order[SAMPLES], rest[SAMPLES];

    make_numbers();
    put_csv("numbers.csv", false);
    d = open_data("csv:numbers.csv", 6);
    b = begin(&d, BATCH, true, 3);
    read_order(&b, 2, 0, order);
    for (int64_t at = 0; at <= SAMPLES; at += at % 2 ? BATCH : 3) {
        ck_assert_int_eq(read_order(&b, 2, at, rest), SAMPLES - at);
        ck_assert(memcmp(rest, order + at, (size_t)(SAMPLES - at) * sizeof *rest) == 0);
    }
    batches_release(&b);
    b = begin(&d, BATCH, false, 3); /* in order, whatever the window */
    read_order(&b, 2, 0, order);
    for (int i = 0; i < SAMPLES; i++)
        ck_assert_int_eq(order[i], i);
    batches_release(&b);
    dataset_release(&d);
}
END_TEST

/* With a window of all each order is as likely as any other: of 3 samples 6 orders. */
START_TEST(a_window_of_all_is_a_full_shuffle)
{
    enum { ROUNDS_OF = 6000 };
    int64_t order[3];
    int count[27] = { 0 };

    for (uint64_t epoch = 0; epoch < ROUNDS_OF; epoch++) {
        shuffle_as_defined(order, 3, 3, 5, epoch);
        count[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (int k = 0; k < 27; k++) { /* within 5 deviations of a sixth */
        const bool is_order = k / 9 != k / 3 % 3 && k / 9 != k % 3 && k / 3 % 3 != k % 3;

        ck_assert_msg(is_order ? abs(count[k] - ROUNDS_OF / 6) < 145 : count[k] == 0, "%d: %d times", k, count[k]);
    }
}
END_TEST

/* -- what is wrong -- */

START_TEST(columns_order_cannot_be_streamed)
{
    static const char header[] = "{'descr': '=f4', 'fortran_order': True, 'shape': (2, 3), }";
    const struct data_options o = { .window = 2 };
    unsigned char bytes[10 + 118 + 24] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0 };
    const float columns[] = { 0, 3, 1, 4, 2, 5 };
    int64_t labels[] = { 0, 1 };
    const struct tensor ty = { .dtype = I64, .rank = 1, .dims = { 2 }, .data = labels };
    struct dataset d;

    memset(bytes + 10, ' ', 118);
    memcpy(bytes + 10, header, strlen(header));
    memcpy(bytes + 128, columns, sizeof columns);
    put_file("f.npy", bytes, sizeof bytes);
    put_npy("two.npy", &ty);
    ck_assert(!dataset_open(&d, "npy:f.npy,two.npy", PART_TRAIN, &o, &budget, &report));
    expect_error(KILN_UNSUPPORTED, "numpy.ascontiguousarray");
    d = open_data("npy:f.npy,two.npy", 0); /* which is none of a stream's business */
    for (int k = 0; k < 6; k++)
        ck_assert(((float *)d.x->values.data)[k] == (float)k);
    dataset_release(&d);
}
END_TEST

START_TEST(what_is_wrong_is_found_before)
{
    const struct data_options o = { .window = 2 }, gaps = { .window = 2, .gaps = true },
                              as = { .window = 2, .targets = 1, .target = &(struct column_request){ .classes = 2 } };
    struct dataset d;

    make_numbers();
    x[20][1] = NAN;
    put_npy("x.npy", &(struct tensor){ .dtype = F32, .rank = 2, .dims = { SAMPLES, FEATURES }, .data = x });
    put_npy("y.npy", &(struct tensor){ .dtype = I64, .rank = 1, .dims = { SAMPLES }, .data = y });
    ck_assert(!dataset_open(&d, "npy:x.npy,y.npy", PART_TRAIN, &o, &budget, &report));
    expect_error(KILN_BAD_DATA, "element 1 of sample 20 is no number");
    expect_ok(dataset_open(&d, "npy:x.npy,y.npy", PART_TRAIN, &gaps, &budget, &report));
    dataset_release(&d);
    expect_ok(dataset_open(&d, "npy:x.npy,y.npy[21:]", PART_TRAIN, &o, &budget, &report)); /* it is not there */
    dataset_release(&d);
    ck_assert(!dataset_open(&d, "npy:x.npy,y.npy[:10]", PART_TRAIN, &as, &budget, &report));
    expect_error(KILN_BAD_DATA, "must be in [0, 2)");
}
END_TEST

START_TEST(a_file_that_changes_is_found)
{
    struct dataset d;
    struct walk w;

    make_numbers();
    put_csv("numbers.csv", false);
    d = open_data("csv:numbers.csv", 4);
    put_file("numbers.csv", "1,2,3,0\n", 8);
    ck_assert(!walk_begin(&w, &d, &budget, &report));
    expect_error(KILN_BAD_DATA, "has changed");
    dataset_release(&d);
    put_idx(false);
    d = open_data("idx:images,labels", 4);
    put_file("images", "", 0);
    ck_assert(!walk_begin(&w, &d, &budget, &report));
    expect_error(KILN_BAD_DATA, "ends too early");
    dataset_release(&d);
}
END_TEST

/* A line may be longer than what is read at a time, and lie anywhere in it. */
START_TEST(lines_may_be_long)
{
    enum { COLUMNS = 30000, ROWS = 5 };
    struct text t = { .budget = &budget, .report = &report };
    struct dataset d, all;
    struct walk w;
    int64_t at = 0;

    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < COLUMNS; k++)
            text_printf(&t, "%d%s", k == COLUMNS - 1 ? i % 2 : (i * 31 + k) % 977, k == COLUMNS - 1 ? "\n" : ",");
    put_text("wide.csv", &t);
    text_release(&t);
    all = open_data("csv:wide.csv,label=last", 0);
    d = open_data("csv:wide.csv,label=last", 2);
    expect_ok(walk_begin(&w, &d, &budget, &report));
    for (;;) {
        expect_ok(walk_next(&w, &report));
        if (!w.count)
            break;
        same_rows("wide", all.x, at, w.x, w.from, w.count);
        at += w.count;
    }
    ck_assert_int_eq(at, ROWS);
    ck_assert(((float *)all.x->values.data)[COLUMNS - 1 + 2] == 33); /* of row 1 the third */
    walk_end(&w);
    dataset_release(&d);
    dataset_release(&all);
}
END_TEST

/* Wherever memory runs out, all is given back. */
START_TEST(memory_may_run_out_anywhere)
{
    put_all();
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        const struct data_options o = { .window = 3 };
        bool ok = false;

        for (size_t limit = 64; !ok; limit += limit / 3) {
            struct dataset d;

            budget.limit = limit;
            ok = dataset_open(&d, specs[k], PART_TRAIN, &o, &budget, &report);
            if (ok) {
                struct walk w;

                if (walk_begin(&w, &d, &budget, &report)) {
                    while (walk_next(&w, &report) && w.count)
                        ;
                    walk_end(&w);
                }
                ok = !failed(&report);
                dataset_release(&d);
            }
            ck_assert_msg(ok || report.error.code == KILN_LIMIT, "%s: %s", specs[k], report.error.message);
            ck_assert_uint_eq(budget.used, 0);
            report = (struct report){ 0 };
        }
        budget.limit = 0;
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("stream");

    add_test_between(s, enter_scratch, leave_scratch, streams_are_as_in_memory);
    add_test_between(s, enter_scratch, leave_scratch, the_window_is_tf_datas);
    add_test_between(s, enter_scratch, leave_scratch, a_pass_goes_on_where_it_was);
    add_test_between(s, enter_scratch, leave_scratch, a_window_of_all_is_a_full_shuffle);
    add_test_between(s, enter_scratch, leave_scratch, columns_order_cannot_be_streamed);
    add_test_between(s, enter_scratch, leave_scratch, what_is_wrong_is_found_before);
    add_test_between(s, enter_scratch, leave_scratch, a_file_that_changes_is_found);
    add_test_between(s, enter_scratch, leave_scratch, lines_may_be_long);
    add_test_between(s, enter_scratch, leave_scratch, memory_may_run_out_anywhere);
    return s;
}
