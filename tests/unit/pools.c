/* Kernels whose channels lie last, for every instruction set: pools against those of planes, and pictures taken apart
 * and put together. */
#include "kernels/channels_last/pool.h"
#include "numbers.h"

enum { LEVELS = CPU_AVX512 + 1 };

static const struct kernels *level(int k)
{
    return kernels_for((enum cpu_level)k);
}

/* One dimension, now and then; windows that overlap, leave gaps, hang over, or see nothing but padding. */
static struct pool_shape random_shape(int round)
{
    struct pool_shape s = { .planes = 1 + random_below(3), .rank = round % 6 == 0 ? 1 : 2 };

    s.count_include_pad = random_below(2);
    for (int d = 0; d < s.rank; d++) {
        int64_t span = -1;

        while (span < 0) {
            s.kernel[d] = 1 + random_below(4);
            s.strides[d] = 1 + random_below(4);
            s.dilations[d] = random_below(3) ? 1 : 2;
            s.pads_begin[d] = random_below(4);
            s.pads_end[d] = random_below(4);
            s.in[d] = 1 + random_below(random_below(3) ? 11 : 40);
            if (round % 3 == 0) {
                s.kernel[d] = s.strides[d] = 2 + random_below(2);
                s.dilations[d] = 1;
                s.pads_begin[d] = s.pads_end[d] = 0;
            }
            span = s.in[d] + s.pads_begin[d] + s.pads_end[d] - (s.kernel[d] - 1) * s.dilations[d] - 1;
        }
        s.out[d] = span / s.strides[d] + 1;
        if (random_below(3) == 0 && span % s.strides[d] && s.out[d] * s.strides[d] < s.in[d] + s.pads_begin[d])
            s.out[d]++; /* ceil_mode */
    }
    return s;
}

/* [images, channels, pixels] to [images, pixels, channels], or back. */
static float *turned(const float *x, int64_t images, int64_t rows, int64_t columns)
{
    float *const y = room((size_t)(images * rows * columns) * sizeof *y);

    for (int64_t n = 0; n < images; n++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                y[(n * columns + c) * rows + r] = x[(n * rows + r) * columns + c];
    return y;
}

/* Ties, and a NaN in some. */
static float *random_values(int64_t n)
{
    float *const x = room((size_t)n * sizeof *x);

    for (int64_t k = 0; k < n; k++)
        x[k] = random_below(97) ? (float)random_below(9) - 4 : random_below(2) ? NAN : -INFINITY;
    return x;
}

static void expect_same(const char *what, const float *got, const float *wanted, int64_t n, double bound)
{
    for (int64_t k = 0; k < n; k++) {
        const double a = (double)got[k], b = (double)wanted[k];

        ck_assert_msg((isnan(a) && isnan(b)) || a == b || fabs(a - b) <= bound, "%s[%lld] is %g, must be %g", what,
                      (long long)k, a, b);
    }
}

struct trial {
    const struct kernels *k;
    struct pool *pool;
    struct pool_shape planes, images;
    int64_t channels, in, out; /* pixels */
    float *x, *x_last, *g, *g_last, *wanted, *got;
};

static void expect_forward(const struct trial *t, const char *what)
{
    float *const wanted = turned(t->wanted, t->images.planes, t->channels, t->out);

    expect_same(what, t->got, wanted, t->planes.planes * t->out, 1e-5);
    free(wanted);
}

static void expect_back(const struct trial *t, const char *what)
{
    float *const wanted = turned(t->wanted, t->images.planes, t->channels, t->in);

    expect_same(what, t->got, wanted, t->planes.planes * t->in, 1e-5);
    free(wanted);
}

static void compare(const struct trial *t)
{
    const struct kernels *const plain = kernels_for(CPU_BASE);

    max_pool(plain, NULL, &t->planes, F32, t->x, t->wanted, NULL);
    max_pool_last(t->k, t->pool, &t->images, t->channels, t->x_last, t->got);
    expect_forward(t, "maximum");
    max_pool_grad(plain, NULL, &t->planes, F32, t->x, t->g, t->wanted);
    max_pool_last_grad(t->k, t->pool, &t->images, t->channels, t->x_last, t->g_last, t->got);
    expect_back(t, "gradient of the maximum");
    average_pool_grad(plain, NULL, &t->planes, F32, t->g, t->wanted);
    average_pool_last_grad(t->k, t->pool, &t->images, t->channels, t->g_last, t->got);
    expect_back(t, "gradient of the mean");
    for (int64_t i = 0; i < t->planes.planes * t->in; i++) /* sums of infinities are another matter */
        if (!isfinite(t->x[i]))
            t->x[i] = 1;
    for (int64_t i = 0; i < t->planes.planes * t->in; i++)
        if (!isfinite(t->x_last[i]))
            t->x_last[i] = 1;
    average_pool(plain, NULL, &t->planes, F32, t->x, t->wanted);
    average_pool_last(t->k, t->pool, &t->images, t->channels, t->x_last, t->got);
    expect_forward(t, "mean");
}

START_TEST(pools_are_those_of_planes)
{
    struct budget budget = { 0 };
    struct pool *const pool = level(_i) ? pool_new(2, &budget, NULL) : NULL;

    if (!pool)
        return;
    for (int round = 0; round < ROUNDS(100); round++) {
        struct trial t = { .k = level(_i), .pool = round % 2 ? pool : NULL, .images = random_shape(round) };
        int64_t larger;

        t.channels = round % 5 ? 1 + random_below(40) : 60 + random_below(100);
        t.planes = t.images;
        t.planes.planes *= t.channels;
        t.in = dims_product(t.images.in, 0, t.images.rank);
        t.out = dims_product(t.images.out, 0, t.images.rank);
        larger = t.in > t.out ? t.in : t.out;
        t.x = random_values(t.planes.planes * t.in);
        t.g = random_array(F32, t.planes.planes * t.out);
        t.x_last = turned(t.x, t.images.planes, t.channels, t.in);
        t.g_last = turned(t.g, t.images.planes, t.channels, t.out);
        t.wanted = room((size_t)(t.planes.planes * larger) * sizeof(float));
        t.got = room((size_t)(t.planes.planes * larger) * sizeof(float));
        compare(&t);
        free(t.x);
        free(t.g);
        free(t.x_last);
        free(t.g_last);
        free(t.wanted);
        free(t.got);
    }
    pool_free(pool);
}
END_TEST

/* Large enough to be cut: the same bits for any number of threads. */
START_TEST(threads_do_not_matter)
{
    enum { CHANNELS = 70, SIDE = 48, IMAGES = 2 };
    struct pool_shape s = { .planes = IMAGES, .rank = 2 };
    const int64_t n = (int64_t)IMAGES * SIDE * SIDE * CHANNELS;
    struct budget budget = { 0 };
    struct pool *const pool = pool_new(3, &budget, NULL);
    float *const x = random_array(F32, n), *const g = random_array(F32, n);
    float *const one = room((size_t)n * sizeof *one), *const many = room((size_t)n * sizeof *many);
    const struct kernels *const k = kernels_get();

    for (int d = 0; d < 2; d++) {
        s.in[d] = s.out[d] = SIDE;
        s.kernel[d] = 3;
        s.strides[d] = s.dilations[d] = s.pads_begin[d] = s.pads_end[d] = 1;
    }
    max_pool_last_grad(k, NULL, &s, CHANNELS, x, g, one);
    max_pool_last_grad(k, pool, &s, CHANNELS, x, g, many);
    ck_assert_mem_eq(one, many, (size_t)n * sizeof *one);
    average_pool_last_grad(k, NULL, &s, CHANNELS, g, one);
    average_pool_last_grad(k, pool, &s, CHANNELS, g, many);
    ck_assert_mem_eq(one, many, (size_t)n * sizeof *one);
    average_pool_last(k, NULL, &s, CHANNELS, x, one);
    average_pool_last(k, pool, &s, CHANNELS, x, many);
    ck_assert_mem_eq(one, many, (size_t)n * sizeof *one);
    free(x);
    free(g);
    free(one);
    free(many);
    pool_free(pool);
}
END_TEST

/* Three planes that become pixels, also where rows do not follow each other at once. */
START_TEST(planes_become_pixels)
{
    enum { MOST = 100, APART = 7 };
    const struct kernels *const k = level(_i);
    uint32_t x[5 * (MOST + APART)], y[5 * (MOST + 1)];

    if (!k)
        return;
    for (int64_t planes = 1; planes <= 5; planes++)
        for (int64_t n = 0; n <= MOST; n++) {
            for (size_t i = 0; i < sizeof x / sizeof *x; i++)
                x[i] = (uint32_t)random_below(1 << 30);
            memset(y, 0xff, sizeof y);
            k->gemm->transpose_4(x, n + APART, y, planes, planes, n);
            for (int64_t i = 0; i < n * planes; i++)
                ck_assert_uint_eq(y[i], x[i % planes * (n + APART) + i / planes]);
            ck_assert_uint_eq(y[n * planes], UINT32_MAX); /* and nothing behind */
        }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pools");

    add_tests(s, pools_are_those_of_planes, LEVELS);
    add_test(s, threads_do_not_matter);
    add_tests(s, planes_become_pixels, LEVELS);
    return s;
}
