/* Integers of 8 bits: loops, products and convolutions against the definition, at every level. */
#include "kernels/conv_plain.h"
#include "kernels/index.h"
#include "kernels/integer_conv.h"
#include "random_conv.h"

static uint8_t *random_bytes(int64_t n)
{
    uint8_t *const p = room((size_t)n);

    for (int64_t i = 0; i < n; i++)
        p[i] = (uint8_t)random_below(256);
    return p;
}

/* What a number of `b` counts for. */
static int32_t value_of(const struct integer_operand *b, int64_t i, int64_t zero)
{
    const uint8_t z = b->zero ? b->zero[zero % b->zeros] : 0;

    return b->has_sign ? (int8_t)b->data[i] - (int8_t)z : b->data[i] - z;
}

static struct integer_operand random_operand(int64_t n, int64_t zeros)
{
    struct integer_operand b = { .data = random_bytes(n), .has_sign = random_below(2) };

    if (random_below(4)) {
        b.zeros = random_below(2) ? 1 : zeros;
        b.zero = random_bytes(zeros);
    }
    return b;
}

static void free_operand(struct integer_operand *b)
{
    free((void *)(uintptr_t)b->data);
    free((void *)(uintptr_t)b->zero);
}

/* -- loops -- */

START_TEST(bytes_become_numbers)
{
    const struct kernels *const k = kernels_for(_i);
    enum { N = 300 };

    for (int round = 0; k && round < ROUNDS(300); round++) {
        const int64_t step = 1 + random_below(3), n = random_below(N / step);
        struct integer_operand b = random_operand(N, 1);
        const struct byte_run runs[] = { { 5, 0, n / 2 }, { 1, n / 2 + 3, n / 3 } };
        const struct byte_runs r = { b.data, runs, 2, step, integer_flip(&b), integer_zero(&b, 0) };
        int16_t y[N + 3];
        int32_t sums[N];
        const int32_t w = (int32_t)random_below(511) - 255;

        memset(y, 0, sizeof y);
        k->integer->widen(&r, y);
        for (int64_t i = 0; i < n / 2; i++)
            ck_assert_int_eq(y[i], value_of(&b, 5 + i * step, 0));
        for (int64_t i = n / 2; i < n / 2 + 3; i++)
            ck_assert_int_eq(y[i], 0);
        for (int64_t i = 0; i < n / 3; i++)
            ck_assert_int_eq(y[n / 2 + 3 + i], value_of(&b, 1 + i * step, 0));
        for (int i = 0; i < N; i++)
            sums[i] = INT32_MAX - i;
        k->integer->axpy(w, b.data, step, integer_flip(&b), integer_zero(&b, 0), sums, n);
        for (int64_t i = 0; i < N; i++) { /* it wraps around */
            const int64_t sum = INT32_MAX - i + (i < n ? (int64_t)w * value_of(&b, i * step, 0) : 0);

            ck_assert_int_eq(sums[i], (int32_t)(uint32_t)(uint64_t)sum);
        }
        free_operand(&b);
    }
}
END_TEST

START_TEST(tiles_add_pairs)
{
    const struct kernels *const k = kernels_for(_i);
    enum { MOST = 37 };

    for (int rows = 1; k && rows <= INTEGER_ROWS; rows++)
        for (int vectors = 1; vectors <= k->integer->vectors; vectors++)
            for (int64_t pairs = 0; pairs < MOST; pairs += 9) {
                const int lanes = k->lanes;
                int16_t a[INTEGER_ROWS * 2 * MOST], lines[2 * MOST][INTEGER_COLUMNS];
                int16_t panels[INTEGER_COLUMNS * 2 * MOST];
                int32_t c[INTEGER_ROWS][INTEGER_COLUMNS];
                const struct integer_tile t = { a, panels, 2 * pairs, 2 * pairs * lanes, pairs, c };

                for (int i = 0; i < INTEGER_ROWS * 2 * MOST; i++)
                    a[i] = (int16_t)(random_below(511) - 255);
                for (int d = 0; d < 2 * pairs; d++)
                    for (int l = 0; l < INTEGER_COLUMNS; l++)
                        lines[d][l] = (int16_t)(random_below(511) - 255);
                for (int64_t p = 0; p < pairs; p++)
                    k->integer->pair(lines[2 * p], lines[2 * p + 1], vectors, 2 * pairs * lanes,
                                     panels + p * 2 * lanes);
                k->integer->tile(&t, rows, vectors);
                for (int r = 0; r < rows; r++)
                    for (int l = 0; l < vectors * lanes; l++) {
                        int32_t sum = 0;

                        for (int d = 0; d < 2 * pairs; d++)
                            sum += a[r * 2 * pairs + d] * lines[d][l];
                        ck_assert_int_eq(c[r][l], sum);
                    }
            }
}
END_TEST

/* By the definition, in double. */
static int64_t saturated(double v, double zero, double least, double most)
{
    return (int64_t)(isnan(v) ? least : fmin(fmax(rint(v) + zero, least), most));
}

START_TEST(quantising_rounds_to_even_and_saturates)
{
    const struct kernels *const k = kernels_for(_i);
    static const float odd[] = { NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0.f, -0.f, 2.5f, 3.5f, -2.5f, .5f, 1e-45f };
    enum { N = 403, ODD = sizeof odd / sizeof *odd };

    for (int round = 0; k && round < ROUNDS(60); round++) {
        const bool sign = round & 1, each = round & 2;
        const int64_t n = random_below(N);
        float x[N], scale[N], zero[N];
        int32_t sums[N];
        uint8_t y[N], z[N];
        uint16_t wide[N];
        struct quantizing q = { scale, zero, each, sign ? -128 : 0, sign ? 127 : 255 };

        for (int i = 0; i < N; i++) {
            x[i] = random_below(8) ? (float)(random_below(2000) - 1000) / 4 : odd[random_below(ODD)];
            scale[i] = random_below(3) ? 1 : random_below(9) ? (float)fabs(random_unit()) : 0;
            zero[i] = (float)random_below(256) + q.least;
            sums[i] = (int32_t)(random_unit() * (random_below(2) ? INT32_MAX : 999));
        }
        k->integer->quantize_8(&q, x, y, n);
        k->integer->requantize(&q, sums, z, n);
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = each ? i : 0, shift = sign ? (int64_t)q.least : 0;
            const float v = x[i] / scale[at], w = (float)sums[i] * scale[at];

            ck_assert_int_eq((sign ? (int8_t)y[i] : y[i]) - shift,
                             saturated((double)v, (double)zero[at], (double)q.least, (double)q.most) - shift);
            ck_assert_int_eq((sign ? (int8_t)z[i] : z[i]) - shift,
                             saturated((double)w, (double)zero[at], (double)q.least, (double)q.most) - shift);
        }
        q.least = sign ? INT16_MIN : 0;
        q.most = sign ? INT16_MAX : UINT16_MAX;
        for (int i = 0; i < N; i++) {
            x[i] *= 300;
            zero[i] = (float)random_below(65536) + q.least;
        }
        k->integer->quantize_16(&q, x, wide, n);
        for (int64_t i = 0; i < n; i++) {
            const float v = x[i] / scale[each ? i : 0], at = zero[each ? i : 0];

            ck_assert_int_eq(sign ? (int16_t)wide[i] : wide[i],
                             saturated((double)v, (double)at, (double)q.least, (double)q.most));
        }
    }
}
END_TEST

/* -- products -- */

/* One element of a result, quantised again. */
static uint8_t quantised(const struct integer_result *r, int32_t sum, float a, float b)
{
    return (uint8_t)saturated((double)((float)sum * (a * b / r->y_scale)), (double)r->zero, (double)r->least,
                              (double)r->most);
}

static void random_result(struct integer_result *r, int64_t rows, int64_t columns)
{
    const bool sign = random_below(2);
    float *const a = room(4 * (size_t)rows), *const b = room(4 * (size_t)columns);

    for (int64_t i = 0; i < rows; i++)
        a[i] = (float)(random_unit() + 1.1) / 8;
    for (int64_t i = 0; i < columns; i++)
        b[i] = (float)(random_unit() + 1.1) / 8;
    r->a_scale = a;
    r->b_scale = b;
    r->y_scale = 3.7f;
    r->least = sign ? -128 : 0;
    r->most = sign ? 127 : 255;
    r->zero = (float)random_below(256) + r->least;
}

static void free_result(struct integer_result *r)
{
    free((void *)(uintptr_t)r->a_scale);
    free((void *)(uintptr_t)r->b_scale);
    free(r->sums);
    free(r->y);
}

/* One scale or zero point for all, for each row, or for each row of each matrix. */
static int64_t random_count(int64_t rows, int64_t matrices)
{
    const int64_t which = random_below(3);

    return rows == 0 || which == 0 ? 1 : which == 1 ? rows : rows * matrices;
}

static void check_product(const struct kernels *k, struct pool *pool, int round)
{
    const int64_t rows = random_below(round % 5 ? 9 : 70), columns = random_below(round % 3 ? 20 : 300);
    const int64_t depth = random_below(round % 2 ? 9 : 90), a_count = 1 + random_below(2),
                  b_count = 1 + random_below(2);
    const int64_t products = a_count * b_count, n = products * rows * columns;
    struct integer_operand a = random_operand(a_count * rows * depth, random_count(rows, a_count));
    struct integer_operand b = random_operand(b_count * depth * columns, random_count(columns, b_count));
    struct integer_product p = { .rows = rows, .columns = columns, .depth = depth, .batch_rank = 2 };
    int16_t *const packed_a = room(integer_rows_bytes(a_count * rows, depth));
    int16_t *const packed_b = room((size_t)b_count * integer_columns_bytes(k, columns, depth));

    random_result(&p.result, a_count * rows, b_count * columns);
    p.result.sums = room(4 * (size_t)n);
    p.result.y = room((size_t)n);
    p.result.image = p.result.row_step = columns;
    p.result.product_step = rows * columns;
    p.result.a_scales = random_count(rows, a_count);
    p.result.b_scales = random_count(columns, b_count);
    p.batch[0] = a_count;
    p.batch[1] = b_count;
    p.a_batch[0] = p.b_batch[1] = 1;
    integer_pack_rows(k, pool, &a, a_count * rows, depth, packed_a);
    integer_pack_columns(k, pool, &b, b_count, columns, depth, packed_b);
    p.a = packed_a;
    p.b = packed_b;
    integer_multiply(k, pool, &p);
    int32_t *const sums = p.result.sums;
    p.result.sums = NULL;
    integer_multiply(k, pool, &p);
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = i % columns, r = i / columns % rows, kb = i / columns / rows % b_count,
                      ka = i / columns / rows / b_count;
        int32_t sum = 0;

        for (int64_t d = 0; d < depth; d++)
            sum += value_of(&a, (ka * rows + r) * depth + d, ka * rows + r) *
                   value_of(&b, (kb * depth + d) * columns + c, kb * columns + c);
        ck_assert_int_eq(sums[i], sum);
        ck_assert_int_eq(p.result.y[i], quantised(&p.result, sum, p.result.a_scale[(ka * rows + r) % p.result.a_scales],
                                                  p.result.b_scale[(kb * columns + c) % p.result.b_scales]));
    }
    p.result.sums = sums;
    free_result(&p.result);
    free(packed_a);
    free(packed_b);
    free_operand(&a);
    free_operand(&b);
}

START_TEST(products_are_exact)
{
    const struct kernels *const k = kernels_for(_i);
    struct pool *const pool = threads(3);

    random_state = (uint64_t)_i + 1;
    for (int round = 0; k && round < ROUNDS(300); round++)
        check_product(k, round % 2 ? pool : NULL, round);
    pool_free(pool);
}
END_TEST

/* What does not fit into int32 wraps around. */
START_TEST(sums_wrap_around)
{
    const struct kernels *const k = kernels_for(_i);
    enum { DEPTH = 70001, N = 3 };

    if (!k)
        return;
    uint8_t *const all = room(DEPTH * N);
    const struct integer_operand b = { .data = all };
    int16_t *const rows = room(integer_rows_bytes(N, DEPTH)), *const columns = room(integer_columns_bytes(k, N, DEPTH));
    int32_t sums[N * N];
    const struct integer_product p = { .rows = N,
                                       .columns = N,
                                       .depth = DEPTH,
                                       .a = rows,
                                       .b = columns,
                                       .result = { .image = N, .row_step = N, .sums = sums } };

    memset(all, 255, DEPTH * N);
    integer_pack_rows(k, NULL, &b, N, DEPTH, rows);
    integer_pack_columns(k, NULL, &b, 1, N, DEPTH, columns);
    integer_multiply(k, NULL, &p);
    for (int i = 0; i < N * N; i++)
        ck_assert_int_eq(sums[i], (int32_t)(uint32_t)(INT64_C(65025) * DEPTH));
    free(all);
    free(rows);
    free(columns);
}
END_TEST

/* -- convolutions -- */

static float *values_of(const struct integer_operand *b, int64_t n, int64_t each)
{
    float *const v = room(4 * (size_t)n);

    for (int64_t i = 0; i < n; i++)
        v[i] = (float)value_of(b, i, i / each);
    return v;
}

static void expect_conv(const struct integer_conv *c, const float *x, const float *w, const int32_t *sums)
{
    const struct conv_shape *const s = &c->shape;
    const struct conv_plain plain = { .shape = s, .dtype = F32, .x = x, .w = w };
    const struct integer_result *const r = &c->result;
    int64_t i = 0;

    for (int64_t n = 0; n < s->batch; n++)
        for (int64_t o = 0; o < s->out_channels; o++) {
            int64_t at[MAX_RANK] = { 0 };

            do {
                const int32_t sum = (int32_t)conv_plain_y(&plain, n, o, at) + (r->bias ? r->bias[o] : 0);

                ck_assert_int_eq(sums[i], sum);
                ck_assert_int_eq(r->y[i], quantised(r, sum, r->a_scale[o % r->a_scales], *r->b_scale));
                i++;
            } while (next_index(s->rank, s->out, at));
        }
}

static void check_conv(const struct kernels *k, struct pool *pool, const struct conv_shape *s)
{
    const int64_t weights = s->in_channels / s->groups * dims_product(s->kernel, 0, s->rank);
    const int64_t nx = s->batch * s->in_channels * dims_product(s->in, 0, s->rank), nw = s->out_channels * weights;
    const int64_t ny = s->batch * s->out_channels * dims_product(s->out, 0, s->rank);
    struct integer_conv c = { .shape = *s, .x = random_operand(nx, 1), .w = random_operand(nw, s->out_channels) };
    float *const x = values_of(&c.x, nx, nx + 1), *const w = values_of(&c.w, nw, weights);
    int16_t *const packed = room(integer_conv_packed_bytes(s));
    void *const scratch = room(integer_conv_scratch(k, s, false, pool_threads(pool)));
    int32_t *const sums = room(4 * (size_t)ny), *const again = room(4 * (size_t)ny);
    int32_t *const bias = room(4 * (size_t)s->out_channels);

    for (int64_t o = 0; o < s->out_channels; o++)
        bias[o] = (int32_t)random_below(2000) - 1000;
    random_result(&c.result, s->out_channels, 1);
    c.result.bias = random_below(2) ? bias : NULL;
    c.result.a_scales = random_count(s->out_channels, 1);
    c.result.b_scales = 1;
    c.result.y = room((size_t)ny);
    integer_conv(k, pool, &c, scratch);
    c.result.sums = sums;
    integer_conv(k, pool, &c, scratch);
    c.result.sums = again;
    if (integer_conv_packed_bytes(s)) {
        integer_conv_pack(k, pool, s, &c.w, packed);
        c.packed = packed;
    }
    integer_conv(k, pool, &c, scratch);
    ck_assert(!memcmp(sums, again, 4 * (size_t)ny));
    expect_conv(&c, x, w, sums);
    free_result(&c.result);
    free(sums);
    free(bias);
    free(packed);
    free(scratch);
    free(x);
    free(w);
    free_operand(&c.x);
    free_operand(&c.w);
}

START_TEST(convolutions_are_exact)
{
    const struct kernels *const k = kernels_for(_i);
    struct pool *const pool = threads(3);

    random_state = (uint64_t)_i + 1;
    for (int round = 0; k && round < ROUNDS(300); round++) {
        const struct conv_shape s = random_conv_shape(round);

        if (s.rank)
            check_conv(k, round % 2 ? pool : NULL, &s);
    }
    pool_free(pool);
}
END_TEST

/* In several waves; in several bands; in several pieces of a row. */
enum { PARTS = 7 };

START_TEST(convolutions_in_parts)
{
    const struct kernels *const k = kernels_for(_i / PARTS);
    static const struct conv_shape shapes[] = {
        { 2, 1, 200, 9, 2, { 40, 39 }, { 40, 39 }, { 5, 5 }, { 1, 1 }, { 1, 1 }, { 2, 2 } },
        { 1, 70, 70 * 40, 70 * 4, 2, { 9, 11 }, { 9, 11 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
        { 1, 1, 9000, 5, 1, { 30 }, { 28 }, { 3 }, { 1 }, { 1 }, { 0 } },
        { 1, 2, 2, 2, 2, { 2, 2500 }, { 2, 2499 }, { 2, 4 }, { 1, 1 }, { 1, 1 }, { 1, 2 } },
        { 1, 3, 3, 6, 2, { 400, 401 }, { 200, 201 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },
        { 2, 2, 4, 2, 2, { 3, 3000 }, { 3, 2702 }, { 1, 300 }, { 1, 1 }, { 1, 1 }, { 0, 1 } },
        { 1, 2, 2, 4, 1, { 5000 }, { 294 }, { 5 }, { 17 }, { 3 }, { 4 } },
    };
    struct pool *const pool = threads(2);

    if (k)
        check_conv(k, pool, &shapes[_i % PARTS]);
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("integer");

    add_tests(s, bytes_become_numbers, 3);
    add_tests(s, tiles_add_pairs, 3);
    add_tests(s, quantising_rounds_to_even_and_saturates, 3);
    add_tests(s, products_are_exact, 3);
    add_tests(s, sums_wrap_around, 3);
    add_tests(s, convolutions_are_exact, 3);
    add_tests(s, convolutions_in_parts, 3 * PARTS);
    return s;
}
