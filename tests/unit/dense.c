#include "kernels/dense.h"
#include "kernels/dense_few.h"
#include "kernels/dense_stream.h"
#include "numbers.h"

/* A matrix somewhere in memory: rows or columns contiguous, perhaps with gaps, at any address. */
struct matrix {
    float *memory, *data;
    int64_t row, column, size;
};

static struct matrix random_matrix(int64_t rows, int64_t columns)
{
    const bool by_rows = random_below(2), gaps = random_below(2);
    const int64_t step = (by_rows ? columns : rows) + (gaps ? random_below(9) : 0), offset = random_below(4);
    struct matrix m = { .row = by_rows ? step : 1, .column = by_rows ? 1 : step };

    m.size = offset + step * (by_rows ? rows : columns);
    m.memory = random_array(F32, m.size);
    m.data = m.memory + offset;
    return m;
}

static int64_t random_size(void)
{
    static const int64_t sizes[] = { 1, 2, 3, 4, 7, 16, 17, 48, 63, 64, 65, 100, 130, 300 };

    return sizes[random_below(sizeof sizes / sizeof *sizes)];
}

/* Each element against a sum in double; what lies between the rows of C is as it was. */
static void check(const struct gemm *g, const struct matrix *a, const struct matrix *b, const struct matrix *before,
                  const float *c)
{
    const int64_t offset = before->data - before->memory;
    int64_t inside = 0, same = 0;

    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            const int64_t at = offset + i * g->c_row + j * g->c_col;
            double sum = 0, size = 1;

            for (int64_t d = 0; d < g->k; d++) {
                const double term =
                    (double)a->data[i * g->a_row + d * g->a_col] * (double)b->data[d * g->b_row + j * g->b_col];

                sum += term;
                size += fabs(term);
            }
            sum = g->alpha * sum + (g->beta != 0 ? g->beta * (double)before->memory[at] : 0);
            sum += g->row_bias ? (double)((const float *)g->row_bias)[i] : 0;
            sum += g->column_bias ? (double)((const float *)g->column_bias)[j] : 0;
            expect_near("c", at, (double)c[at], g->relu && sum < 0 ? 0 : sum, 5e-7 * (size + 4));
            inside++;
        }
    for (int64_t i = 0; i < before->size; i++)
        same += memcmp(&c[i], &before->memory[i], sizeof *c) == 0;
    ck_assert_int_ge(same, before->size - inside);
}

/* In a stream, or by tiles or by few rows, as the shape decides, with 1, 2, 3 and 9 threads: the same bits. */
enum { POOLS = 4 };
static void check_way(bool stream, const struct kernels *k, const struct gemm *g, const struct matrix *a,
                      const struct matrix *b, const struct matrix *before)
{
    struct pool *const pools[POOLS] = { NULL, threads(2), threads(3), threads(9) };
    const size_t bytes = (size_t)before->size * sizeof(float);
    float *results[POOLS];

    for (int t = 0; t < POOLS; t++) {
        void *const scratch = room(stream ? dense_stream_scratch(g) : dense_scratch(k, g, pool_threads(pools[t])));

        results[t] = room(bytes);
        memcpy(results[t], before->memory, bytes);
        (stream ? dense_stream : dense)(k, pools[t], g, a->data, b->data, results[t] + (before->data - before->memory),
                                        scratch);
        ck_assert_msg(memcmp(results[0], results[t], bytes) == 0, "%d threads differ", pool_threads(pools[t]));
        free(scratch);
    }
    check(g, a, b, before, results[0]);
    for (int t = 0; t < POOLS; t++) {
        free(results[t]);
        pool_free(pools[t]);
    }
}
static void check_all(const struct kernels *k, const struct gemm *g, const struct matrix *a, const struct matrix *b,
                      const struct matrix *before)
{
    check_way(false, k, g, a, b, before);
}

static void check_shape(const struct kernels *k, int64_t m, int64_t n, int64_t depth)
{
    const struct matrix a = random_matrix(m, depth), b = random_matrix(depth, n), c = random_matrix(m, n);
    float *const bias = random_array(F32, m + n);
    struct gemm g = { .dtype = F32,
                      .m = m,
                      .n = n,
                      .k = depth,
                      .a_row = a.row,
                      .a_col = a.column,
                      .b_row = b.row,
                      .b_col = b.column,
                      .c_row = c.row,
                      .c_col = c.column,
                      .alpha = random_below(3) ? 1 : -.5,
                      .beta = (double)random_below(3) / 2,
                      .row_bias = random_below(4) ? NULL : bias,
                      .column_bias = random_below(3) ? bias + m : NULL,
                      .relu = random_below(2) };

    if (g.beta == 0) /* then C is not read */
        memset(c.memory, 0xff, (size_t)c.size * sizeof *c.memory);
    check_all(k, &g, &a, &b, &c);
    free(a.memory);
    free(b.memory);
    free(c.memory);
    free(bias);
}

START_TEST(products_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);

    random_state = (uint64_t)_i + 100;
    for (int round = 0; k && round < ROUNDS(60); round++)
        check_shape(k, random_size(), random_size(), round % 10 ? random_size() : 1100 + random_below(5));
}
END_TEST

/* Strides at which rows fall on the same lines of a cache, and depths of several parts, are packed. */
START_TEST(colliding_rows_are_packed)
{
    const struct kernels *const k = kernels_for(_i % 3);
    const int64_t m = 520, n = 512, depth = 520;
    float *const a = random_array(F32, m * depth), *const b = random_array(F32, depth * n);
    const struct matrix left = { a, a, depth, 1, m * depth }, right = { b, b, n, 1, depth * n };
    struct matrix c = { .row = n, .column = 1, .size = m * n };
    struct gemm g = { .dtype = F32,
                      .m = m,
                      .n = n,
                      .k = depth,
                      .a_row = depth,
                      .a_col = 1,
                      .b_row = n,
                      .b_col = 1,
                      .c_row = n,
                      .c_col = 1,
                      .alpha = 1 };

    if (k) {
        c.memory = c.data = random_array(F32, c.size);
        ck_assert_uint_gt(dense_scratch(k, &g, 1), 0);
        check_all(k, &g, &left, &right, &c);
        free(c.memory);
    }
    free(a);
    free(b);
}
END_TEST

/* A matrix that is more than a cache keeps, and one or a few rows: both layouts, and a column instead of a row. */
START_TEST(few_rows_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);
    const int64_t few = _i / 3 + 1, n = 2100, depth = 2050;

    random_state = (uint64_t)_i;
    for (int way = 0; k && way < 4; way++) {
        const bool turned = way & 1, by_columns = way & 2;
        const struct matrix w = { .row = by_columns ? 1 : n, .column = by_columns ? depth : 1, .size = n * depth };
        const struct matrix x = { .row = depth, .column = 1, .size = few * depth };
        struct matrix a = x, b = w, c = { .row = n, .column = 1, .size = few * n };
        float *const bias = random_array(F32, n);
        struct gemm g = { .dtype = F32, .m = few, .n = n, .k = depth, .alpha = 2, .beta = .5, .column_bias = bias };

        g.a_row = x.row;
        g.a_col = x.column;
        g.b_row = w.row;
        g.b_col = w.column;
        g.c_row = c.row;
        g.c_col = c.column;
        if (turned) {
            g.m = n;
            g.n = few;
            g.a_row = w.column;
            g.a_col = w.row;
            g.b_row = x.column;
            g.b_col = x.row;
            g.c_row = c.column;
            g.c_col = c.row;
            g.column_bias = NULL;
            g.row_bias = bias;
            a = w;
            b = x;
        }
        a.memory = a.data = random_array(F32, a.size);
        b.memory = b.data = random_array(F32, b.size);
        c.memory = c.data = random_array(F32, c.size);
        ck_assert(isfinite(dense_few_cost(k, &g)));
        check_all(k, &g, &a, &b, &c);
        free(a.memory);
        free(b.memory);
        free(c.memory);
        free(bias);
    }
}
END_TEST

/* Many rows, by few, with gaps and at any address; the depth is cut into 2 to 16 slices. */
START_TEST(streams_are_right)
{
    const struct kernels *const k = kernels_for(_i % 3);

    random_state = (uint64_t)_i;
    for (int round = 0; k && k->level != CPU_BASE && round < ROUNDS(12); round++) {
        const int64_t m = 5 + random_below(36), n = 100 + random_below(200), depth = 16 * m + 600 + random_below(800);
        struct matrix a, b, c;
        struct gemm g = { .dtype = F32, .m = m, .n = n, .k = depth, .alpha = 1, .beta = (double)random_below(3) / 2 };

        do {
            a = random_matrix(m, depth);
            b = random_matrix(depth, n);
            c = random_matrix(m, n);
            g.a_row = a.row;
            g.a_col = a.column;
            g.b_row = b.row;
            g.b_col = b.column;
            g.c_row = c.row;
            g.c_col = c.column;
            if (dense_stream_fits(k, &g))
                check_way(true, k, &g, &a, &b, &c);
            free(a.memory);
            free(b.memory);
            free(c.memory);
        } while (!dense_stream_fits(k, &g));
    }
}
END_TEST

/* B packed before gives the bits that the same panels give when they are packed in passing, for any number of rows. */
START_TEST(packed_before_is_the_same)
{
    const struct kernels *const k = kernels_for(_i % 3);
    int64_t checked = 0;

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < 20; round++) {
        const int64_t m = 1 + random_below(40), n = 1 + random_below(200), depth = 1 + random_below(700);
        float *const x = random_array(F32, m * depth), *const w = random_array(F32, n * depth);
        const struct matrix a = { x, x, depth, 1, m * depth }, b = { w, w, 1, depth, n * depth };
        struct matrix c = { .row = n, .column = 1, .size = m * n };
        struct gemm g = { .dtype = F32,
                          .m = m,
                          .n = n,
                          .k = depth,
                          .a_row = depth,
                          .a_col = 1,
                          .b_row = 1,
                          .b_col = depth,
                          .c_row = n,
                          .c_col = 1,
                          .alpha = 1,
                          .relu = true };
        const size_t bytes = dense_packed_bytes(k, &g);

        c.memory = c.data = random_array(F32, c.size);
        if (bytes) {
            float *const packed = room(bytes);

            dense_pack(k, NULL, &g, w, packed);
            g.packed = packed;
            check_all(k, &g, &a, &b, &c);
            free(packed);
            checked++;
        }
        free(x);
        free(w);
        free(c.memory);
    }
    if (k && k->level == CPU_AVX512)
        ck_assert_int_gt(checked, 5);
}
END_TEST

/* The loops themselves; the arrays end where they are last read. */
START_TEST(rows_and_dots)
{
    const struct kernels *const k = kernels_for(_i % 3);

    random_state = (uint64_t)_i;
    for (int round = 0; k && round < ROUNDS(50); round++) {
        const int64_t n = 1 + random_below(70), step = n + random_below(3);
        const int rows = 1 + (int)random_below(k->lanes / 4), columns = 1 + (int)random_below(4);
        float *const x = random_array(F32, (rows - 1) * step + n), *const w =
                                                                       random_array(F32, (columns - 1) * step + n);
        float *const y = random_array(F32, n), *const before = random_array(F32, n);
        float sums[16];

        memcpy(y, before, (size_t)n * sizeof *y);
        k->gemm->dots(x, step, rows, w, step, columns, n, sums);
        k->gemm->add_rows(x, 1, w, columns < n ? columns : n, n, step, y);
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < columns; j++) {
                double sum = 0;

                for (int64_t i = 0; i < n; i++)
                    sum += (double)x[r * step + i] * (double)w[j * step + i];
                expect_near("dot", 4 * r + j, (double)sums[4 * r + j], sum, 5e-7 * (double)(n + 1));
            }
        for (int64_t i = 0; i < n; i++) {
            double sum = (double)before[i];

            for (int j = 0; j < columns && j < n; j++)
                sum += (double)x[j] * (double)w[j * step + i];
            expect_near("row", i, (double)y[i], sum, 4e-6);
        }
        free(x);
        free(w);
        free(y);
        free(before);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("dense");

    add_tests(s, products_are_right, 6);
    add_tests(s, colliding_rows_are_packed, 3);
    add_tests(s, few_rows_are_right, 9);
    add_tests(s, streams_are_right, 6);
    add_tests(s, packed_before_is_the_same, 3);
    add_tests(s, rows_and_dots, 3);
    return s;
}
