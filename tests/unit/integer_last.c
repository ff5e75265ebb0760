/* Integers of 8 bits with channels last, and by fours: loops, convolutions, products and pools against the definition, at every
 * level, with and without an instruction for sums of products of bytes. */
#include "kernels/channels_last/integer.h"
#include "kernels/channels_last/pool.h"
#include "kernels/index.h"
#include "kernels/isa/levels.h"
#include "random_conv.h"

enum { TABLES = CPU_LEVELS + 1 };

/* Table number `i`; the last is the highest level, by the loops of all its CPUs. False where this CPU has not got it. */
static bool kernels_of(int i, struct kernels *k)
{
    const struct kernels *of = kernels_for(i < CPU_LEVELS ? (enum cpu_level)i : CPU_AVX512);

    if (!of)
        return false;
    *k = *of;
#if defined(__x86_64__)
    if (i == CPU_LEVELS)
        k->integer = &integer_kernels_avx512;
#endif
    return true;
}

static uint8_t *random_bytes(int64_t n)
{
    uint8_t *const p = room((size_t)n);

    for (int64_t i = 0; i < n; i++)
        p[i] = (uint8_t)random_below(256);
    return p;
}

/* -- loops -- */

START_TEST(quads_are_sums_of_four_products)
{
    enum { MOST = 7, RUNS = 3, BYTES = 200 };
    struct kernels k;

    if (!kernels_of(_i, &k))
        return;
    random_state = 7;
    for (int rows = 1; rows <= k.integer->quad_rows; rows++)
        for (int vectors = 1; vectors <= k.integer->quad_vectors; vectors++)
            for (int64_t quads = 0; quads < MOST; quads++) {
                const int64_t at[RUNS] = { 0, 50, 101 }, panel = RUNS * quads * 4 * k.lanes;
                uint8_t *const a = random_bytes(QUAD_ROWS * BYTES), *const b = random_bytes(vectors * panel + 1);
                int32_t c[QUAD_ROWS][INTEGER_COLUMNS];
                struct integer_quads t = {
                    .at = at, .runs = RUNS, .quads = quads, .b = (int8_t *)b, .b_panel = panel, .c = c
                };

                for (int r = 0; r < rows; r++)
                    t.a[r] = a + r * BYTES;
                k.integer->quads(&t, rows, vectors);
                for (int r = 0; r < rows; r++)
                    for (int l = 0; l < vectors * k.lanes; l++) {
                        const int8_t *const w = (int8_t *)b + l / k.lanes * panel;
                        int32_t sum = 0;

                        for (int64_t i = 0; i < RUNS * quads * 4; i++)
                            sum += a[r * BYTES + at[i / (quads * 4)] + i % (quads * 4)] *
                                   w[(i / 4 * k.lanes + l % k.lanes) * 4 + i % 4];
                        ck_assert_int_eq(c[r][l], sum);
                    }
                free(a);
                free(b);
            }
}
END_TEST

START_TEST(columns_are_sums_by_lanes)
{
    enum { PAIRS = 5, BYTES = 300 };
    struct kernels k;

    if (!kernels_of(_i, &k))
        return;
    random_state = 8;
    for (int rows = 1; rows <= k.integer->quad_rows; rows++)
        for (int vectors = 1; vectors <= k.integer->quad_vectors; vectors++) {
            const int64_t step = 1 + random_below(9), wide = vectors * k.lanes + random_below(9);
            uint8_t *const x = random_bytes(BYTES);
            int16_t *const w = room((size_t)(PAIRS * wide * 4));
            int32_t c[QUAD_ROWS][INTEGER_COLUMNS];
            int64_t at[2 * PAIRS];
            const struct integer_columns t = { x, step, at, w, PAIRS, 2 * wide, c };

            for (int i = 0; i < 2 * PAIRS; i++)
                at[i] = random_below(100);
            for (int64_t i = 0; i < PAIRS * wide * 2; i++)
                w[i] = (int16_t)(random_below(511) - 255);
            k.integer->columns(&t, rows, vectors);
            for (int r = 0; r < rows; r++)
                for (int l = 0; l < vectors * k.lanes; l++) {
                    int32_t sum = 0;

                    for (int i = 0; i < 2 * PAIRS; i++)
                        sum += x[r * step + at[i] + l] * w[(i / 2 * wide + l) * 2 + i % 2];
                    ck_assert_int_eq(c[r][l], sum);
                }
            free(x);
            free(w);
        }
}
END_TEST

static uint8_t quantised(const struct integer_store *s, int32_t sum, float scale)
{
    const float v = (float)sum * scale;
    const double y = isnan(v) ? (double)s->least : rint((double)v) + (double)s->zero;

    return (uint8_t)(int)fmin(fmax(y, (double)s->least), (double)s->most);
}

START_TEST(sums_are_stored_as_bytes)
{
    static const float odd[] = { 0, NAN, INFINITY, 1e30f, 1, .5f, 2.5f, -1 };
    enum { STEP = 70, ODD = sizeof odd / sizeof *odd };
    struct kernels k;

    if (!kernels_of(_i, &k))
        return;
    random_state = 9;
    for (int round = 0; round < ROUNDS(300); round++) {
        const int rows = 1 + (int)random_below(k.integer->quad_rows);
        const int64_t n = 1 + random_below(k.integer->quad_vectors * k.lanes);
        int32_t c[QUAD_ROWS][INTEGER_COLUMNS], before[QUAD_ROWS][INTEGER_COLUMNS], summand[INTEGER_COLUMNS];
        uint8_t y[QUAD_ROWS * STEP + 1];
        float scale[INTEGER_COLUMNS];
        const bool sign = random_below(2);
        struct integer_store s = {
            summand, scale, (float)random_below(256), sign ? -128 : 0, sign ? 127 : 255, y, STEP
        };

        s.zero += s.least;
        for (int l = 0; l < INTEGER_COLUMNS; l++) {
            summand[l] = (int32_t)random_below(2001) - 1000;
            scale[l] = random_below(8) ? (float)random_unit() / 8 : odd[random_below(ODD)];
            for (int r = 0; r < rows; r++)
                c[r][l] = random_below(9) ? (int32_t)random_below(4001) - 2000 : INT32_MAX - 100;
        }
        memcpy(before, c, sizeof c);
        memset(y, 77, sizeof y);
        k.integer->store(&s, c, rows, n);
        for (int i = 0; i < QUAD_ROWS * STEP + 1; i++) {
            const int r = i / STEP, l = i % STEP;

            if (r < rows && l < n)
                ck_assert_int_eq(y[i],
                                 quantised(&s, (int32_t)((uint32_t)before[r][l] + (uint32_t)summand[l]), scale[l]));
            else
                ck_assert_int_eq(y[i], 77);
        }
    }
}
END_TEST

/* -- convolutions -- */

/* What a number of `b` counts for, whose zero point is number `zero`. */
static int32_t value_of(const struct integer_operand *b, int64_t i, int64_t zero)
{
    const uint8_t z = b->zero ? b->zero[zero % b->zeros] : 0;

    return b->has_sign ? (int8_t)b->data[i] - (int8_t)z : b->data[i] - z;
}

/* Weights whose elements may be multiplied by fours, or of any zero point. */
static struct integer_operand random_weights(int64_t n, int64_t channels, bool any)
{
    struct integer_operand w = { .data = random_bytes(n), .zeros = random_below(2) ? 1 : channels };
    uint8_t *const zero = random_bytes(channels);

    w.has_sign = random_below(2);
    for (int64_t o = 0; !any && o < channels; o++)
        zero[o] = w.has_sign ? 0 : 128;
    w.zero = zero;
    return w;
}

static void expect_pixel(const struct integer_last *c, const struct integer_operand *x, const struct integer_weights *w,
                         int64_t pixel, const int32_t *sums)
{
    const struct conv_shape *const s = &c->shape;
    const int64_t column = pixel % s->out[1], row = pixel / s->out[1] % s->out[0], n = pixel / s->out[1] / s->out[0];
    const int64_t in = s->in_channels / s->groups;

    for (int64_t o = 0; o < s->out_channels; o++) {
        const int64_t group = o / (s->out_channels / s->groups), at = pixel * s->out_channels + o;
        const struct integer_store as = { .zero = c->zero, .least = c->least, .most = c->most };
        int32_t sum = c->bias ? c->bias[o] : 0;

        for (int64_t t = 0; t < s->kernel[0] * s->kernel[1]; t++) {
            const int64_t a = row * s->strides[0] + t / s->kernel[1] * s->dilations[0] - s->pads_begin[0];
            const int64_t b = column * s->strides[1] + t % s->kernel[1] * s->dilations[1] - s->pads_begin[1];

            for (int64_t k = 0; a >= 0 && a < s->in[0] && b >= 0 && b < s->in[1] && k < in; k++)
                sum += value_of(x, ((n * s->in[0] + a) * s->in[1] + b) * s->in_channels + group * in + k, 0) *
                       value_of(&w->w, o * w->out_step + k * w->in_step + t * w->tap_step, o);
        }
        ck_assert_int_eq(sums[at], sum);
        ck_assert_int_eq(c->y[at], quantised(&as, sum, c->w_scale[o % c->w_scales] * c->x_scale / c->y_scale));
    }
}

static void check_last(const struct kernels *k, struct pool *pool, const struct conv_shape *s, bool is_matrix)
{
    const int64_t taps = s->kernel[0] * s->kernel[1], pixels = s->batch * s->out[0] * s->out[1];
    const int64_t nx = s->batch * s->in_channels * s->in[0] * s->in[1], ny = pixels * s->out_channels;
    struct integer_weights w = { random_weights(s->out_channels * s->in_channels / s->groups * taps, s->out_channels,
                                                s->groups > 1),
                                 s->in_channels / s->groups * taps, taps, 1 };
    struct integer_operand x = { random_bytes(nx), random_bytes(1), 1, random_below(2) };
    struct integer_last c = { .shape = *s, .x = x.data, .x_zero = x.zero, .x_has_sign = x.has_sign, .y_scale = 3.7f };
    void *const scratch = room(integer_last_scratch(k, s, x.has_sign)), *const packed = room(integer_last_packed(k, s));
    int32_t *const sums = room(4 * (size_t)ny), *const bias = room(4 * (size_t)s->out_channels);
    float *const scale = room(4 * (size_t)s->out_channels);

    if (is_matrix) {
        w.out_step = 1;
        w.in_step = s->out_channels;
    }
    for (int64_t o = 0; o < s->out_channels; o++) {
        bias[o] = (int32_t)random_below(2000) - 1000;
        scale[o] = (float)(random_unit() + 1.1) / 8;
    }
    c.bias = random_below(2) ? bias : NULL;
    c.w_scale = scale;
    c.w_scales = random_below(2) ? 1 : s->out_channels;
    c.x_scale = .11f;
    c.least = random_below(2) ? -128 : 0;
    c.most = c.least + 255;
    c.zero = (float)random_below(256) + c.least;
    ck_assert(integer_last_fits(s, &w.w));
    integer_last_pack(k, pool, s, &w, packed);
    c.packed = packed;
    c.y = room((size_t)ny);
    integer_last(k, pool, &c, scratch);
    c.sums = sums;
    integer_last(k, pool, &c, scratch);
    for (int64_t p = 0; p < pixels; p++)
        expect_pixel(&c, &x, &w, p, sums);
    for (size_t i = 0; i < 2; i++) {
        struct integer_operand *const o = i ? &x : &w.w;

        free((void *)(uintptr_t)o->data);
        free((void *)(uintptr_t)o->zero);
    }
    free(scratch);
    free(packed);
    free(sums);
    free(bias);
    free(scale);
    free(c.y);
}

/* One group, or as many as channels. */
static struct conv_shape random_shape(int round)
{
    struct conv_shape s;

    do
        s = random_conv_shape(round);
    while (s.rank != 2 && round % 10 > 2 && round % 50 != 2);
    if (s.rank != 2)
        return integer_last_product(1 + random_below(40), 1 + random_below(70), 1 + random_below(90));
    s.groups = round % 3 ? 1 : s.in_channels;
    if (s.groups > 1)
        s.out_channels = s.in_channels = s.groups = s.groups + random_below(2) * 60;
    return s;
}

START_TEST(convolutions_are_exact)
{
    struct pool *const pool = threads(3);
    struct kernels k;

    random_state = (uint64_t)_i + 1;
    for (int round = 0; kernels_of(_i, &k) && round < ROUNDS(120); round++) {
        const struct conv_shape s = random_shape(round);

        check_last(&k, round % 2 ? pool : NULL, &s, false);
    }
    pool_free(pool);
}
END_TEST

START_TEST(products_are_exact)
{
    struct pool *const pool = threads(3);
    struct kernels k;

    random_state = (uint64_t)_i + 1;
    for (int round = 0; kernels_of(_i, &k) && round < ROUNDS(30); round++) {
        const struct conv_shape s =
            integer_last_product(1 + random_below(30), 1 + random_below(round % 2 ? 300 : 9), 1 + random_below(200));

        check_last(&k, round % 2 ? pool : NULL, &s, true);
    }
    pool_free(pool);
}
END_TEST

/* Blocks of pixels and groups of panels; padding that is larger than what it is around. */
START_TEST(convolutions_in_parts)
{
    static const struct conv_shape shapes[] = {
        { 1, 1, 70, 150, 2, { 60, 61 }, { 60, 61 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 2, 130, 130, 130, 2, { 50, 51 }, { 50, 51 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 1, 1, 3, 5, 2, { 2, 3 }, { 20, 21 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 9, 10 } },
        { 1, 1, 4, 5, 2, { 9, 9 }, { 5, 5 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { -2, -2 } },
    };
    struct pool *const pool = threads(2);
    struct kernels k;

    for (size_t s = 0; kernels_of(_i, &k) && s < sizeof shapes / sizeof *shapes; s++)
        check_last(&k, pool, &shapes[s], false);
    pool_free(pool);
}
END_TEST

START_TEST(others_do_not_fit)
{
    static const uint8_t zeros[] = { 0, 0, 1 }, middle[] = { 128 };
    const struct conv_shape good = { 1, 1, 4, 3, 2, { 5, 5 }, { 5, 5 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 } };
    const struct integer_operand plain = { .has_sign = true };
    struct conv_shape s = good;

    ck_assert(integer_last_fits(&s, &plain));
    ck_assert(integer_last_fits(&s, &(struct integer_operand){ .zero = middle, .zeros = 1 }));
    ck_assert(!integer_last_fits(&s, &(struct integer_operand){ .has_sign = false }));
    ck_assert(!integer_last_fits(&s, &(struct integer_operand){ .has_sign = true, .zero = zeros, .zeros = 3 }));
    s.groups = 2;
    s.out_channels = 4;
    ck_assert(!integer_last_fits(&s, &plain));
    s.groups = 4;
    ck_assert(integer_last_fits(&s, &(struct integer_operand){ .zero = zeros, .zeros = 3 }));
    s = good;
    s.rank = 3;
    ck_assert(!integer_last_fits(&s, &plain));
    s = good;
    s.out[1] = 0;
    ck_assert(!integer_last_fits(&s, &plain));
    s = good;
    s.in_channels = 0;
    ck_assert(!integer_last_fits(&s, &plain));
    s = good; /* far apart, in padding that would be copied */
    s.strides[0] = INT64_C(1) << 40;
    s.pads_begin[0] = INT64_C(1) << 41;
    ck_assert(!integer_last_fits(&s, &plain));
}
END_TEST

/* -- pools -- */

START_TEST(the_largest_of_bytes)
{
    struct pool *const pool = threads(3);

    random_state = 5;
    for (int round = 0; round < ROUNDS(200); round++) {
        const struct conv_shape c = random_conv_shape(round);
        const int64_t channels = 1 + random_below(40);
        struct pool_shape s = { .planes = 1 + random_below(3), .rank = c.rank };
        const bool sign = random_below(2);
        int64_t i = 0;

        if (c.rank != 1 && c.rank != 2)
            continue;
        memcpy(s.in, c.in, sizeof s.in);
        memcpy(s.out, c.out, sizeof s.out);
        memcpy(s.kernel, c.kernel, sizeof s.kernel);
        memcpy(s.strides, c.strides, sizeof s.strides);
        memcpy(s.dilations, c.dilations, sizeof s.dilations);
        memcpy(s.pads_begin, c.pads_begin, sizeof s.pads_begin);
        uint8_t *const x = random_bytes(s.planes * dims_product(s.in, 0, s.rank) * channels);
        uint8_t *const y = random_bytes(s.planes * dims_product(s.out, 0, s.rank) * channels);
        max_pool_last_bytes(round % 2 ? pool : NULL, &s, channels, sign, x, y);
        for (int64_t n = 0; n < s.planes; n++) {
            int64_t at[MAX_RANK] = { 0 };

            do
                for (int64_t k = 0; k < channels; k++, i++) {
                    int64_t tap[MAX_RANK] = { 0 };
                    int best = sign ? -128 : 0;

                    do {
                        int64_t pixel = n;
                        bool inside = true;

                        for (int d = 0; d < s.rank; d++) {
                            const int64_t p = at[d] * s.strides[d] + tap[d] * s.dilations[d] - s.pads_begin[d];

                            inside = inside && p >= 0 && p < s.in[d];
                            pixel = pixel * s.in[d] + p;
                        }
                        if (inside) {
                            const uint8_t b = x[pixel * channels + k];
                            const int v = sign ? (int8_t)b : b;

                            best = v > best ? v : best;
                        }
                    } while (next_index(s.rank, s.kernel, tap));
                    ck_assert_int_eq(y[i], (uint8_t)best);
                }
            while (next_index(s.rank, s.out, at));
        }
        free(x);
        free(y);
    }
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("integer_last");

    add_tests(s, quads_are_sums_of_four_products, TABLES);
    add_tests(s, columns_are_sums_by_lanes, TABLES);
    add_tests(s, sums_are_stored_as_bytes, TABLES);
    add_tests(s, convolutions_are_exact, TABLES);
    add_tests(s, products_are_exact, TABLES);
    add_tests(s, convolutions_in_parts, TABLES);
    add_tests(s, others_do_not_fit, 1);
    add_tests(s, the_largest_of_bytes, 1);
    return s;
}
