#include "random_conv.h"

/* What the three functions must give, by the definition: one pass over all (y, x, w) that meet. */
struct expected {
    double *y, *dx, *dw, *y_size, *dx_size, *dw_size; /* sums, and sums of absolute values */
};

static void meet(const struct conv_shape *s, enum dtype dtype, const void *x, const void *w, const void *dy,
                 struct expected *e)
{
    const int64_t in = dims_product(s->in, 0, s->rank), out = dims_product(s->out, 0, s->rank);
    const int64_t taps = dims_product(s->kernel, 0, s->rank), channels = s->in_channels / s->groups;
    const int64_t total = s->batch * s->out_channels * out * channels * taps;

    for (int64_t i = 0; i < total; i++) {
        const int64_t tap = i % taps, c = i / taps % channels, p = i / taps / channels % out;
        const int64_t o = i / taps / channels / out % s->out_channels, n = i / taps / channels / out / s->out_channels;
        const int64_t group = o / (s->out_channels / s->groups), yi = (n * s->out_channels + o) * out + p;
        const int64_t wi = (o * channels + c) * taps + tap;
        int64_t rest = p, tap_rest = tap, xi = 0, stride = 1;
        bool inside = true;
        double a, b, g;

        for (int d = s->rank - 1; d >= 0; d--) {
            const int64_t at =
                rest % s->out[d] * s->strides[d] + tap_rest % s->kernel[d] * s->dilations[d] - s->pads_begin[d];

            inside = inside && at >= 0 && at < s->in[d];
            xi += at * stride;
            stride *= s->in[d];
            rest /= s->out[d];
            tap_rest /= s->kernel[d];
        }
        if (!inside)
            continue;
        xi += (n * s->in_channels + group * channels + c) * in;
        a = get(dtype, x, xi);
        b = get(dtype, w, wi);
        g = get(dtype, dy, yi);
        e->y[yi] += a * b;
        e->y_size[yi] += fabs(a * b);
        e->dx[xi] += g * b;
        e->dx_size[xi] += fabs(g * b);
        e->dw[wi] += g * a;
        e->dw_size[wi] += fabs(g * a);
    }
}

static double *zeros(int64_t n)
{
    double *const p = calloc((size_t)n + 1, sizeof *p);

    ck_assert_ptr_nonnull(p);
    return p;
}

static void compare(const char *what, enum dtype dtype, const void *got, const double *sum, const double *size,
                    int64_t n, const void *bias, int64_t channels, int64_t spatial, bool relu)
{
    for (int64_t i = 0; i < n; i++) {
        const double v = sum[i] + (bias ? get(dtype, bias, i / spatial % channels) : 0);

        expect_near(what, i, get(dtype, got, i), relu && v < 0 ? 0 : v, rounding(dtype) * (size[i] + 1));
    }
}

static void check_shape(const struct kernels *k, struct pool *const pools[3], const struct conv_shape *s,
                        enum dtype dtype, bool biased, bool relu, bool spoilt)
{
    const int64_t in = dims_product(s->in, 0, s->rank), out = dims_product(s->out, 0, s->rank);
    const int64_t nx = s->batch * s->in_channels * in, ny = s->batch * s->out_channels * out;
    const int64_t nw = s->out_channels * s->in_channels / s->groups * dims_product(s->kernel, 0, s->rank);
    const size_t size = dtype_size(dtype);
    void *const x_room = random_array(dtype, nx + 1), *const w_room = random_array(dtype, nw + 1);
    const void *const x = (char *)x_room + size, *const w = (char *)w_room + size; /* not aligned to vectors */
    void *const dy = random_array(dtype, ny);
    void *const bias = random_array(dtype, s->in_channels + s->out_channels);
    struct expected e = { zeros(ny), zeros(nx), zeros(nw), zeros(ny), zeros(nx), zeros(nw) };
    char *y[3], *dx[3], *dw[3];

    if (spoilt) {
        spoil(dtype, (char *)x_room + size, random_below(2) ? nx : 0);
        spoil(dtype, (char *)w_room + size, random_below(2) ? nw : 0);
        spoil(dtype, dy, random_below(2) ? ny : 0);
    }
    meet(s, dtype, x, w, dy, &e);
    for (int t = 0; t < 3; t++) {
        const int n = pool_threads(pools[t]);
        void *const forward = room(conv_forward_scratch(k, s, dtype, n));
        void *const by_input = room(conv_dx_scratch(k, s, dtype, n)), *const by_weight =
                                                                          room(conv_dw_scratch(k, s, dtype, n));

        y[t] = room((size_t)ny * size);
        dx[t] = room((size_t)nx * size);
        dw[t] = room((size_t)nw * size);
        conv_forward(k, pools[t], s, dtype, x, w, biased ? bias : NULL, relu, y[t], forward);
        conv_dx(k, pools[t], s, dtype, dy, w, biased ? bias : NULL, dx[t], by_input);
        conv_dw(k, pools[t], s, dtype, x, dy, dw[t], by_weight);
        free(forward);
        free(by_input);
        free(by_weight);
        ck_assert_msg(!memcmp(y[0], y[t], (size_t)ny * size), "y depends on the threads");
        ck_assert_msg(!memcmp(dx[0], dx[t], (size_t)nx * size), "dx depends on the threads");
        ck_assert_msg(!memcmp(dw[0], dw[t], (size_t)nw * size), "dw depends on the threads");
    }
    compare("y", dtype, y[0], e.y, e.y_size, ny, biased ? bias : NULL, s->out_channels, out, relu);
    compare("dx", dtype, dx[0], e.dx, e.dx_size, nx, biased ? bias : NULL, s->in_channels, in, false);
    compare("dw", dtype, dw[0], e.dw, e.dw_size, nw, NULL, 1, 1, false);
    for (int t = 0; t < 3; t++) {
        free(y[t]);
        free(dx[t]);
        free(dw[t]);
    }
    free(x_room);
    free(w_room);
    free(dy);
    free(bias);
    free(e.y);
    free(e.dx);
    free(e.dw);
    free(e.y_size);
    free(e.dx_size);
    free(e.dw_size);
}

/* Any shape, at every level, against the definition. */
START_TEST(convolutions_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    const enum dtype types[] = { F32, F64, F32, F16, F32, BF16 };
    struct pool *const pools[] = { NULL, threads(2), threads(4) };

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < ROUNDS(80); round++) {
        const struct conv_shape s = random_conv_shape(round);

        check_shape(k, pools, &s, types[random_below(6)], random_below(2), random_below(2), false);
    }
    pool_free(pools[1]);
    pool_free(pools[2]);
}
END_TEST

/* Of one element, and depthwise: sizes around vectors, and around what is summed at once. */
static struct conv_shape random_planes(bool point)
{
    struct conv_shape s = { .batch = 1 + random_below(2), .groups = 1 + random_below(point ? 3 : 9) };

    s.in_channels = s.groups * (point ? 1 + random_below(random_below(8) ? 20 : 600) : 1);
    s.out_channels = s.groups * (1 + random_below(!point ? 3 : s.in_channels > 100 ? 9 : 150));
    s.rank = random_below(5) ? 2 : 1 + (point ? random_below(3) : 0);
    for (int d = 0; d < s.rank; d++) {
        int64_t span = -1;

        while (span < 0) {
            s.kernel[d] = point ? 1 : 1 + random_below(8);
            s.strides[d] = random_below(2) && s.rank < 3 ? 1 + random_below(4) : 1;
            s.dilations[d] = random_below(3) ? 1 : 1 + random_below(4);
            s.pads_begin[d] = point || random_below(3) == 0 ? 0 : random_below(9) - 2;
            s.in[d] = 1 + random_below(s.rank == 3 ? 8 : d == s.rank - 1 ? 80 : 20);
            span = s.in[d] + s.pads_begin[d] - (s.kernel[d] - 1) * s.dilations[d] - 1;
            span += point ? -random_below(2) : random_below(6);
        }
        s.out[d] = span / s.strides[d] + 1;
    }
    return s;
}

START_TEST(planes_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[] = { NULL, threads(2), threads(4) };

    random_state = (uint64_t)_i + 100;
    for (int round = 0; k && round < ROUNDS(16); round++) {
        const struct conv_shape s = random_planes(_i < 6);

        check_shape(k, pools, &s, F32, random_below(2), random_below(2), false);
    }
    pool_free(pools[1]);
    pool_free(pools[2]);
}
END_TEST

/* Big enough for cut depths, slices and many chunks. */
START_TEST(big_convolutions_are_right)
{
    const struct conv_shape shapes[] = {
        { 8, 1, 16, 40, 2, { 12, 12 }, { 12, 12 }, { 4, 4 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 2, 1, 120, 24, 2, { 9, 9 }, { 9, 9 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 16, 1, 3, 8, 2, { 40, 40 }, { 20, 20 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },
    };
    struct pool *const pools[] = { NULL, threads(2), threads(4) };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_shape(kernels_get(), pools, &shapes[i], F32, true, true, false);
    pool_free(pools[1]);
    pool_free(pools[2]);
}
END_TEST

/* NaN and infinities reach what they meet and nothing else: pads are not multiplied with them, nor are other groups. */
START_TEST(what_is_not_finite_stays)
{
    const struct kernels *const k = kernels_for(_i % 3);
    const enum dtype types[] = { F32, F64, F32, F16, F32, BF16 };
    struct pool *const pools[] = { NULL, threads(2), threads(4) };

    random_state = (uint64_t)_i + 200;
    for (int round = 0; k && round < ROUNDS(60); round++) {
        const struct conv_shape s = round % 3 ? random_conv_shape(round) : random_planes(round % 2);

        check_shape(k, pools, &s, types[random_below(6)], random_below(2), random_below(2), true);
    }
    pool_free(pools[1]);
    pool_free(pools[2]);
}
END_TEST

START_TEST(bias_gradients_are_sums)
{
    const enum dtype types[] = { F32, F64, F16, BF16 };
    struct pool *const pool = threads(2);

    for (int t = 0; t < 4; t++) {
        enum { BATCH = 7, CHANNELS = 5, SPATIAL = 33 };
        void *const dy = random_array(types[t], BATCH * CHANNELS * SPATIAL), *const db = room(CHANNELS * 8);

        conv_db(kernels_get(), pool, types[t], BATCH, CHANNELS, SPATIAL, dy, db);
        for (int c = 0; c < CHANNELS; c++) {
            double sum = 0, size = 0;

            for (int i = 0; i < BATCH * SPATIAL; i++) {
                const double v = get(types[t], dy, (i / SPATIAL * CHANNELS + c) * SPATIAL + i % SPATIAL);

                sum += v;
                size += fabs(v);
            }
            expect_near("db", c, get(types[t], db, c), sum, rounding(types[t]) * size);
        }
        free(dy);
        free(db);
    }
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("conv");

    add_tests(s, convolutions_are_right, 6);
    add_tests(s, planes_are_right, 12);
    add_test(s, big_convolutions_are_right);
    add_tests(s, what_is_not_finite_stays, 6);
    add_test(s, bias_gradients_are_sums);
    return s;
}
