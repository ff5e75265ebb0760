/* Augmentation against Keras' pixels, what is drawn for it, and batches that are made ahead of the step. */
#include "data/augment.h"
#include "data/npz.h"
#include "learning.h"
#include "model/model.h"
#include "scratch.h"
#include "train/feed.h"
#include "unit.h"
#include <errno.h>
#include <math.h>

/* The linker leads the library's pthread_create here. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);

static _Atomic int threads_left = 1000;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return threads_left-- > 0 ? __real_pthread_create(thread, attributes, start, argument) : EAGAIN;
}

static struct augmentation asked(const char *keys)
{
    struct augmentation a;

    expect_ok(augmentation_read(&a, keys, &report));
    return a;
}

/* -- pixels -- */

static struct tensor array_of(struct npz *file, const char *group, const char *name)
{
    struct tensor t;
    char path[64];

    snprintf(path, sizeof path, "%s/%s", group, name);
    expect_ok(npz_read(&t, file, path, NULL, &report));
    return t;
}

static void drop(struct tensor *t)
{
    budget_free(&budget, t->data);
}

/* tests/keras/augment.py says what is where. */
static void compare_group(struct npz *file, const char *group)
{
    struct tensor x = array_of(file, group, "x"), y = array_of(file, group, "y"),
                  t = array_of(file, group, "transform"), s = array_of(file, group, "setting"), sample;
    float *out;

    ck_assert(tensor_shape(&sample, F32, 3, x.dims + 1));
    out = budget_alloc(&budget, (size_t)tensor_bytes(&sample), &report);
    ck_assert(x.dims[0] >= 16 && t.dims[1] == 10 && s.dims[1] == 3);
    for (int64_t k = 0, n = tensor_count(&sample); k < x.dims[0]; k++) {
        const double *d = (const double *)t.data + 10 * k, *of = (const double *)s.data + 3 * k;
        const float *need = (const float *)y.data + k * n;
        const struct transform given = { d[0], d[1], d[2], d[3], d[4], d[5], d[6] != 0, d[7] != 0, d[8], d[9] };
        struct augmentation a = asked("cval=0");
        struct image image;

        a.fill_mode = of[0];
        a.cval = of[1];
        a.data_format = of[2] != 0 ? CHANNELS_FIRST : CHANNELS_LAST;
        expect_ok(augmentation_image(&image, &a, &sample, &report));
        transform_apply(&given, &a, &image, (const float *)x.data + k * n, out);
        for (int64_t i = 0; i < n; i++)
            ck_assert_msg(fabsf(out[i] - need[i]) <= 1e-4f, "%s, image %d, value %d: %.9g, Keras has %.9g", group,
                          (int)k, (int)i, (double)out[i], (double)need[i]);
    }
    budget_free(&budget, out);
    drop(&x);
    drop(&y);
    drop(&t);
    drop(&s);
}

START_TEST(pixels_are_those_of_keras)
{
    static const char *const groups[] = { "square", "colours", "first", "opacity", "floats",
                                          "two",    "wide",    "line",  "beyond" };
    struct npz *file;

    expect_ok(npz_open(&file, PROJECT "/tests/keras/augment.npz", &budget, &report));
    for (size_t k = 0; k < sizeof groups / sizeof *groups; k++)
        compare_group(file, groups[k]);
    npz_close(file);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* -- what is drawn -- */

static const struct image small = { .height = 20, .width = 30, .channels = 3 };

START_TEST(what_is_drawn_is_within_what_is_asked_for)
{
    const struct augmentation a =
        asked("rotation_range=10,width_shift_range=0.5,height_shift_range=0.25,shear_range=20,"
              "zoom_range=0.25,horizontal_flip=1,vertical_flip=true,channel_shift_range=30,"
              "brightness_range=0.5/0.75");
    enum { N = 4000 };
    const double low[] = { -10, -5, -15, -20, .75, .75, -30, .5 }, high[] = { 10, 5, 15, 20, 1.25, 1.25, 30, .75 };
    double least[8], most[8], sum[8] = { 0 };
    int flips[2] = { 0 };

    for (int k = 0; k < 8; k++) {
        least[k] = INFINITY;
        most[k] = -INFINITY;
    }
    for (int i = 0; i < N; i++) {
        const struct transform t = transform_draw(&a, &small, 3, 1, i);
        const double v[] = { t.theta, t.tx, t.ty, t.shear, t.zx, t.zy, t.channel_shift, t.brightness };

        flips[0] += t.flip_horizontal;
        flips[1] += t.flip_vertical;
        for (int k = 0; k < 8; k++) {
            least[k] = fmin(least[k], v[k]);
            most[k] = fmax(most[k], v[k]);
            sum[k] += v[k];
        }
    }
    for (int k = 0; k < 8; k++) {
        const double width = high[k] - low[k];

        ck_assert(least[k] >= low[k] && least[k] < low[k] + width / 100);
        ck_assert(most[k] <= high[k] && most[k] > high[k] - width / 100);
        ck_assert_double_le(fabs(sum[k] / N - (low[k] + high[k]) / 2), width / 50);
    }
    for (int k = 0; k < 2; k++)
        ck_assert(flips[k] > N * .46 && flips[k] < N * .54);
}
END_TEST

static bool same(const struct transform *a, const struct transform *b)
{
    return a->theta == b->theta && a->zx == b->zx && a->zy == b->zy;
}

START_TEST(what_is_drawn_depends_on_seed_pass_and_sample)
{
    const struct augmentation a = asked("rotation_range=10,zoom_range=0.5"), none = asked("fill_mode=wrap"),
                              more = asked("shear_range=3,rotation_range=10,zoom_range=0.5,horizontal_flip=1");
    const struct transform t = transform_draw(&a, &small, 1, 2, 3), again = transform_draw(&a, &small, 1, 2, 3),
                           with = transform_draw(&more, &small, 1, 2, 3), seed = transform_draw(&a, &small, 2, 2, 3),
                           pass = transform_draw(&a, &small, 1, 3, 3), sample = transform_draw(&a, &small, 1, 2, 4),
                           nothing = transform_draw(&none, &small, 1, 2, 3);

    ck_assert(same(&t, &again) && same(&t, &with) && with.shear != 0 && t.shear == 0);
    ck_assert(!same(&t, &seed) && !same(&t, &pass) && !same(&t, &sample) && t.zx != t.zy);
    ck_assert(nothing.theta == 0 && nothing.tx == 0 && nothing.ty == 0 && nothing.zx == 1 && nothing.zy == 1 &&
              !nothing.flip_horizontal && !nothing.flip_vertical && isnan(nothing.channel_shift) &&
              isnan(nothing.brightness));
}
END_TEST

/* As numpy's choice(3), with either sign; a fraction from 1 on stands for pixels. */
START_TEST(shifts_may_be_whole_pixels)
{
    const struct augmentation whole = asked("width_shift_range=3,height_shift_range=1"),
                              pixels = asked("width_shift_range=2.5");
    int seen[5] = { 0 };
    double most = 0;

    for (int i = 0; i < 1000; i++) {
        const struct transform t = transform_draw(&whole, &small, 0, 0, i),
                               other = transform_draw(&pixels, &small, 0, 0, i);

        ck_assert(t.ty == floor(t.ty) && fabs(t.ty) <= 2 && t.tx == 0 && fabs(other.ty) <= 2.5);
        seen[(int)t.ty + 2]++;
        most = fmax(most, fabs(other.ty));
    }
    for (int k = 0; k < 5; k++)
        ck_assert(seen[k] > 120 && seen[k] < (k == 2 ? 400 : 240));
    ck_assert(most > 2.4);
}
END_TEST

/* -- options and images -- */

START_TEST(wrong_options_are_told)
{
    static const struct {
        const char *keys, *part;
    } wrong[] = {
        { "", "has no option '', but rotation_range, width_shift_range" },
        { "rotation=10", "'images' has no option 'rotation', but rotation_range" },
        { "rotation_range", "'rotation_range' needs a number" },
        { "rotation_range=400", "must be at least 0 and at most 360" },
        { "zoom_range=2", "'zoom_range' is -1, must be at least 0" },
        { "zoom_range=1.2/0.8", "goes from 1.2 to 0.8, must not go down" },
        { "zoom_range=0.8/", "needs two numbers or one, as in 'zoom_range=0.8/1.2'" },
        { "zoom_range=0.8/1.2/3", "needs two numbers or one" },
        { "zoom_range=", "needs two numbers or one" },
        { "fill_mode=nearby", "'fill_mode' is 'nearby', must be nearest, constant, reflect or wrap" },
        { "fill_mode", "'fill_mode' is '', must be nearest" },
        { "horizontal_flip=2", "must be 0 or 1" },
        { "horizontal_flip=1,", "has no option ''" },
    };
    struct augmentation a;

    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        ck_assert(!augmentation_read(&a, wrong[k].keys, &report));
        expect_error(KILN_BAD_ARGUMENT, wrong[k].part);
    }
    a = asked("fill_mode=reflect,zoom_range=0.25,brightness_range=0.5/2");
    ck_assert(a.fill_mode == FILL_REFLECT && a.zoom_range.low == .75 && a.zoom_range.high == 1.25);
    ck_assert(a.brightness_range.low == .5 && a.brightness_range.high == 2 && a.rotation_range == 0);
}
END_TEST

START_TEST(settings_are_said_as_they_are_read)
{
    static const char said[] = "rotation_range=10,zoom_range=0.75/1.25,horizontal_flip=1,fill_mode=wrap";
    const struct augmentation a = asked("horizontal_flip=1,zoom_range=0.25,fill_mode=wrap,rotation_range=10");
    struct text text = { .budget = &budget, .report = &report };

    spec_say(&text, &augmentation_row, &a, NULL);
    ck_assert_str_eq(text.data, said);
    text_release(&text);
}
END_TEST

START_TEST(what_is_no_image_is_refused)
{
    static const struct {
        const char *keys;
        enum dtype dtype;
        int rank;
        int64_t dims[4];
        const char *part; /* NULL: it is one */
        struct image image;
    } cases[] = {
        { "cval=1", U8, 3, { 32, 30, 3 }, NULL, { 32, 30, 3, false } },
        { "cval=1", F32, 3, { 1, 32, 30 }, NULL, { 32, 30, 1, true } },
        { "cval=1", F16, 2, { 28, 27 }, NULL, { 28, 27, 1, false } },
        { "data_format=channels_first", U8, 3, { 5, 6, 3 }, NULL, { 6, 3, 5, true } },
        { "data_format=channels_last", U8, 3, { 3, 6, 3 }, NULL, { 3, 6, 3, false } },
        { "cval=1", U8, 3, { 3, 6, 3 }, "data_format=channels_first or data_format=channels_last", { 0 } },
        { "cval=1", U8, 3, { 16, 16, 16 }, "the first dimension may be the channels or the last", { 0 } },
        { "cval=1", U8, 1, { 784 }, "augmentation needs images", { 0 } },
        { "cval=1", U8, 4, { 3, 4, 4, 3 }, "augmentation needs images", { 0 } },
        { "cval=1", I64, 3, { 8, 8, 3 }, "int64[8,8,3], augmentation needs images", { 0 } },
        { "cval=1", U8, 3, { 0, 8, 3 }, "images of 1 to", { 0 } },
        { "brightness_range=0.5/2", U8, 3, { 8, 8, 2 }, "brightness_range needs 1, 3 or 4 channels", { 0 } },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const struct augmentation a = asked(cases[k].keys);
        const struct image *need = &cases[k].image;
        struct tensor t;
        struct image i;

        ck_assert(tensor_shape(&t, cases[k].dtype, cases[k].rank, cases[k].dims));
        if (cases[k].part) {
            ck_assert(!augmentation_image(&i, &a, &t, &report));
            expect_error(KILN_BAD_DATA, cases[k].part);
            continue;
        }
        expect_ok(augmentation_image(&i, &a, &t, &report));
        ck_assert(i.height == need->height && i.width == need->width && i.channels == need->channels &&
                  i.channels_first == need->channels_first);
    }
}
END_TEST

/* -- batches -- */

enum { COUNT = 10, SIDE = 6, CHANNELS = 3, VALUES = SIDE * SIDE * CHANNELS, BATCH = 4 };

static uint8_t bytes[COUNT][VALUES]; /* [H,W,C] */
static int64_t labels[COUNT];

static struct dataset images(struct two_columns *c)
{
    struct tensor x, y;

    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < VALUES; k++)
            bytes[i][k] = (uint8_t)(37 * i + 11 * k + k * k % 7);
    for (int i = 0; i < COUNT; i++)
        labels[i] = i % 3;
    ck_assert(tensor_shape(&x, U8, 4, (const int64_t[]){ COUNT, SIDE, SIDE, CHANNELS }));
    ck_assert(tensor_shape(&y, I64, 1, (const int64_t[]){ COUNT }));
    x.data = bytes;
    y.data = labels;
    return dataset_of(c, &x, &y, 3, &budget);
}

static const struct augmentation *keep(struct augmentation *a)
{
    *a = asked("rotation_range=40,zoom_range=0.2,width_shift_range=0.2,horizontal_flip=1,channel_shift_range=20");
    return a;
}

/* Each sample is what its own transform makes of it, then normalised, then turned: with any pool, in any order, and of
 * any type of float. */
static void check_batches(int threads, enum dtype dtype, bool first, bool shuffle, bool of_model)
{
    struct two_columns columns;
    struct augmentation a;
    struct dataset d = images(&columns);
    struct normalizer n;
    struct pool *pool = threads ? pool_new(threads, &budget, &report) : NULL;
    struct tensor x = { .dtype = dtype, .rank = 4, .dims = { UNKNOWN, SIDE, SIDE, CHANNELS } };
    const struct tensor y = { .dtype = I64, .rank = 1, .dims = { UNKNOWN } };
    const struct column_request in = { .type = &x }, out = { .type = &y };
    const struct batch_request q = { 1, 1, &in, &out };
    const struct image image = { SIDE, SIDE, CHANNELS, false };
    struct arena memory = { .budget = &budget };
    struct scaling scaling;
    struct batches b;
    double into[BATCH * VALUES];
    int64_t of[BATCH], count;
    void *to_x = into, *to_y = of;

    if (first) {
        x.dims[1] = CHANNELS;
        x.dims[3] = SIDE;
    }
    expect_ok(normalizer_fit(&n, NORMALIZE_STANDARDIZE, &d, &budget, &report));
    d = dataset_view(&d, 2, COUNT);
    expect_ok(batches_init(&b, &d, &n, &q,
                           &(struct batch_options){
                               .batch = BATCH, .shuffle = shuffle, .seed = 5, .augmentation = keep(&a), .pool = pool },
                           &budget, &report));
    expect_ok(batch_scaling(&scaling, &b.x[0], &memory, &report));
    if (of_model) /* the same, said in the order of the model's input */
        b.x[0].scaling = &scaling;
    batches_start(&b, 3);
    for (int64_t at = 0; at < COUNT - 2; at += count) {
        expect_ok(batches_next(&b, &to_x, &to_y, &count, &report));
        ck_assert_int_eq(count, BATCH);
        for (int64_t i = 0; i < count; i++) {
            const int64_t row = 2 + (shuffle ? b.order[at + i] : at + i);
            const struct transform t = transform_draw(&a, &image, 5, 3, row);
            float raw[VALUES], need[VALUES];

            for (int k = 0; k < VALUES; k++)
                raw[k] = bytes[row][k];
            transform_apply(&t, &a, &image, raw, need);
            scaling_apply(n.of, need, VALUES);
            ck_assert_int_eq(of[i], labels[row]);
            for (int k = 0; k < VALUES; k++) {
                const int64_t place = i * VALUES + (first ? k % CHANNELS * SIDE * SIDE + k / CHANNELS : k);
                const double got = dtype == F64 ? into[place] : (double)((const float *)into)[place];

                ck_assert_double_eq(got, (double)need[k]);
            }
        }
    }
    batches_release(&b);
    normalizer_release(&n);
    arena_release(&memory);
    pool_free(pool);
    ck_assert_uint_eq(budget.used, 0);
}

START_TEST(batches_are_augmented_then_normalised)
{
    for (int threads = 0; threads < 4; threads++)
        for (int k = 0; k < 16; k++)
            check_batches(threads, k & 1 ? F64 : F32, k & 2, k & 4, k & 8);
}
END_TEST

START_TEST(only_one_input_of_floats_is_augmented)
{
    struct two_columns columns;
    struct augmentation a;
    struct dataset d = images(&columns);
    const struct tensor whole = { .dtype = I32, .rank = 4, .dims = { UNKNOWN, SIDE, SIDE, CHANNELS } };
    const struct column_request in[] = { { .name = "a", .type = &whole }, { .name = "b", .type = &whole } };
    const struct batch_options o = { .batch = BATCH, .augmentation = keep(&a) };
    struct batches b;

    ck_assert(!batches_init(&b, &d, NULL, &(struct batch_request){ .inputs = 2, .input = in }, &o, &budget, &report));
    expect_error(KILN_BAD_DATA, "the model has 2 inputs, augmentation needs one");
    ck_assert(!batches_init(&b, &d, NULL, &(struct batch_request){ .inputs = 1, .input = in }, &o, &budget, &report));
    expect_error(KILN_BAD_DATA, "augmented uint8 cannot be given to an input of int32");
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* -- ahead of the step -- */

static const char net[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                          "net (float[N,3,6,6] x) => (float[N,3] y) <float[3,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}> {\n"
                          "    m = ReduceMean <axes = [2, 3], keepdims = 0> (x) z = MatMul(m, w) y = Softmax(z)\n}";

static struct trainer *trainer_of(int threads)
{
    const struct trainer_options o = { .threads = threads, TARGET(.classes = 3) };
    struct model *m = model_read_bytes(net, strlen(net), NULL, &report);
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    model_free(m);
    return t;
}

/* All batches of two passes, the second from its fifth sample on. */
static size_t feed_all(int threads, int left, float *out)
{
    struct two_columns columns;
    struct augmentation a;
    const struct dataset d = images(&columns);
    struct trainer *t = trainer_of(threads);
    const struct batch_options o = { .batch = BATCH, .shuffle = true, .seed = 5, .augmentation = keep(&a) };
    struct feed f;
    int64_t count;
    size_t n = 0;

    threads_left = left;
    expect_ok(feed_init(&f, t, &d, NULL, &o, &report));
    ck_assert_int_eq(f.helper != NULL, threads > 1);
    feed_start(&f, 8, 0);
    expect_ok(feed_next(&f, &count, &report)); /* one that is given up with what was made ahead */
    for (int pass = 0; pass < 2; pass++) {
        feed_start(&f, pass, pass * 4);
        for (;;) {
            const size_t before = n;

            expect_ok(feed_next(&f, &count, &report));
            if (!count)
                break;
            ck_assert_int_eq(f.x->dims[0], count);
            memcpy(out + n, f.x->data, (size_t)(count * VALUES) * sizeof *out);
            n += (size_t)(count * VALUES);
            for (int64_t i = 0; i < count; i++)
                out[n++] = (float)((const int64_t *)f.y->data)[i];
            usleep(2000); /* the next one is made */
            ck_assert(memcmp(out + before, f.x->data, (size_t)(count * VALUES) * sizeof *out) == 0);
        }
    }
    feed_release(&f);
    threads_left = 1000;
    trainer_free(t);
    return n;
}

START_TEST(batches_made_ahead_are_the_same)
{
    static float need[2 * COUNT * (VALUES + 1)], got[2 * COUNT * (VALUES + 1)];
    const size_t n = feed_all(1, 1000, need);

    ck_assert_uint_eq(n, (COUNT + COUNT - 4) * (VALUES + 1));
    for (int threads = 2; threads < 5; threads++)
        for (int left = 0; left < threads + 1; left++) { /* the system may give fewer */
            memset(got, 0, sizeof got);
            ck_assert_uint_eq(feed_all(threads, left, got), n);
            ck_assert(memcmp(got, need, n * sizeof *need) == 0);
        }
}
END_TEST

/* The error comes with the batch that it is of, and again when that is asked for again. */
START_TEST(what_is_wrong_is_told_in_its_turn)
{
    for (int threads = 1; threads < 3; threads++) {
        struct two_columns columns;
        const struct dataset d = images(&columns);
        struct trainer *t = trainer_of(threads);
        struct feed f;
        int64_t count;

        labels[6] = 3;
        expect_ok(feed_init(&f, t, &d, NULL, &(struct batch_options){ .batch = BATCH }, &report));
        feed_start(&f, 0, 0);
        expect_ok(feed_next(&f, &count, &report));
        ck_assert_int_eq(count, BATCH);
        usleep(2000);
        for (int k = 0; k < 2; k++) {
            ck_assert(!feed_next(&f, &count, &report));
            expect_error(KILN_BAD_DATA, "label 3 of sample 6");
        }
        labels[6] = 0;
        feed_start(&f, 0, 4);
        expect_ok(feed_next(&f, &count, &report));
        ck_assert_int_eq(count, BATCH);
        feed_release(&f);
        trainer_free(t);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("augment");

    add_test(s, pixels_are_those_of_keras);
    add_test(s, what_is_drawn_is_within_what_is_asked_for);
    add_test(s, what_is_drawn_depends_on_seed_pass_and_sample);
    add_test(s, shifts_may_be_whole_pixels);
    add_test(s, wrong_options_are_told);
    add_test(s, settings_are_said_as_they_are_read);
    add_test(s, what_is_no_image_is_refused);
    add_test(s, batches_are_augmented_then_normalised);
    add_test(s, only_one_input_of_floats_is_augmented);
    add_test(s, batches_made_ahead_are_the_same);
    add_test(s, what_is_wrong_is_told_in_its_turn);
    return s;
}
