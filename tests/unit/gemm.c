#include "kernels/gemm.h"
#include "numbers.h"
#include <stdlib.h>

START_TEST(blis_runs_what_the_cpu_can)
{
    const char *const name = gemm_configuration(cpu_level());

    ck_assert_str_ne(name, "");
    if (cpu_level() == CPU_AVX512)
        ck_assert_str_eq(name, "skx");
    if (cpu_level() == CPU_AVX2)
        ck_assert_str_eq(name, "haswell");
}
END_TEST

struct layout {
    int64_t row, column, size;
};
static struct layout random_layout(int64_t rows, int64_t columns)
{
    const int64_t kind = random_below(3);

    if (kind == 0)
        return (struct layout){ columns, 1, rows * columns };
    if (kind == 1)
        return (struct layout){ 1, rows, rows * columns };
    return (struct layout){ 2 * columns + 1, 2, rows * (2 * columns + 1) };
}

static int64_t random_size(void) /* small, mostly; sometimes just one, sometimes beyond a block */
{
    const int64_t kind = random_below(8);

    return kind == 0 ? 1 : kind == 1 ? 100 + random_below(300) : 1 + random_below(70);
}

static void check_product(const struct gemm *g, const void *before)
{
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            const int64_t at = i * g->c_row + j * g->c_col;
            double sum = 0, size = 1;

            for (int64_t d = 0; d < g->k; d++) {
                const double term =
                    get(g->dtype, g->a, i * g->a_row + d * g->a_col) * get(g->dtype, g->b, d * g->b_row + j * g->b_col);

                sum += term;
                size += fabs(term);
            }
            sum *= g->alpha;
            if (g->beta != 0)
                sum += g->beta * get(g->dtype, before, at);
            if (g->row_bias)
                sum += get(g->dtype, g->row_bias, i);
            if (g->column_bias)
                sum += get(g->dtype, g->column_bias, j);
            if (g->relu && sum < 0)
                sum = 0;
            expect_near("c", at, get(g->dtype, g->c, at), sum, rounding(g->dtype) * (size + 2));
        }
}

/* Shapes, strides, types, epilogues against plain sums; 1, 2 and 4 threads give the same bits. */
static void check_products(const struct kernels *k, uint64_t seed)
{
    const enum dtype types[] = { F32, F32, F64, F16, BF16 };
    struct pool *const pools[] = { NULL, threads(2), threads(4) };

    random_state = seed;
    for (int round = 0; k && round < ROUNDS(60); round++) {
        const enum dtype dtype = types[round % 5];
        struct gemm g = { .dtype = dtype, .m = random_size(), .n = random_size(), .k = random_size() };
        const struct layout a = random_layout(g.m, g.k = round % 9 ? g.k : 3000), b = random_layout(g.k, g.n),
                            c = random_layout(g.m, g.n);
        const size_t bytes = (size_t)c.size * dtype_size(dtype);
        void *const left = random_array(dtype, a.size), *const right = random_array(dtype, b.size);
        void *const before = random_array(dtype, c.size), *const bias = random_array(dtype, g.m + g.n);
        void *results[3];

        g.a = left;
        g.a_row = a.row;
        g.a_col = a.column;
        g.b = right;
        g.b_row = b.row;
        g.b_col = b.column;
        g.c_row = c.row;
        g.c_col = c.column;
        g.alpha = round % 4 ? 1 : -.5;
        g.beta = round % 3 ? 0 : 1.5;
        g.row_bias = random_below(2) ? bias : NULL;
        g.column_bias = random_below(2) ? bias : NULL;
        g.relu = random_below(2);
        if (g.beta == 0) /* then C is not read */
            memset(before, 0xff, bytes);
        for (int t = 0; t < 3; t++) {
            void *const scratch = room(gemm_scratch(k, &g, pool_threads(pools[t])));

            results[t] = room(bytes);
            memcpy(results[t], before, bytes);
            g.c = results[t];
            gemm(k, pools[t], &g, scratch);
            free(scratch);
            ck_assert_msg(memcmp(results[0], results[t], bytes) == 0, "%dth pool differs", t);
        }
        check_product(&g, before);
        for (int t = 0; t < 3; t++)
            free(results[t]);
        free(left);
        free(right);
        free(before);
        free(bias);
    }
    pool_free(pools[1]);
    pool_free(pools[2]);
}

START_TEST(products_are_right)
{
    check_products(kernels_for(_i % 3), (uint64_t)_i);
}
END_TEST

/* What this CPU is taken for. */
static enum cpu_step step = STEP_AVX512;

enum cpu_step __real_cpu_step(void);
enum cpu_step __wrap_cpu_step(void);
enum cpu_step __wrap_cpu_step(void)
{
    const enum cpu_step real = __real_cpu_step();

    return real < step ? real : step;
}

/* CPUs that have less than our own kernels need still get what BLIS has for them. */
START_TEST(older_cpus_get_what_is_theirs)
{
    static const char *const names[] = { "generic", "penryn", "sandybridge", "haswell", "haswell" };

    ck_assert_int_eq(setenv("KILN_ISA", "base", 1), 0);
    step = (enum cpu_step)_i;
    if (__wrap_cpu_step() == step && step > STEP_NONE)
        ck_assert_str_eq(gemm_configuration(CPU_BASE), names[step]);
    check_products(kernels_get(), (uint64_t)_i);
}
END_TEST

START_TEST(batches_broadcast)
{
    const struct kernels *const k = kernels_get();
    struct pool *const pool = threads(2);
    enum { M = 5, N = 7, K = 33, OUTER = 3, INNER = 40 };
    float *const a = random_array(F32, INNER * M * K), *const b = random_array(F32, OUTER * K * N);
    float *const c = room(sizeof(float) * OUTER * INNER * M * N);
    struct gemm g = { .dtype = F32,
                      .m = M,
                      .n = N,
                      .k = K,
                      .a = a,
                      .b = b,
                      .c = c,
                      .a_row = K,
                      .a_col = 1,
                      .b_row = N,
                      .b_col = 1,
                      .c_row = N,
                      .c_col = 1,
                      .alpha = 1,
                      .batch_rank = 2,
                      .batch = { OUTER, INNER },
                      .a_batch = { 0, M * K },
                      .b_batch = { K * N, 0 },
                      .c_batch = { INNER * M * N, M * N } };
    const size_t bytes = gemm_scratch(k, &g, 2);
    void *const scratch = bytes ? room(bytes) : NULL;

    gemm(k, pool, &g, scratch);
    for (int item = 0; item < OUTER * INNER; item++) {
        struct gemm one = g;

        one.a = a + item % INNER * M * K;
        one.b = b + item / INNER * K * N;
        one.c = c + item * M * N;
        check_product(&one, NULL);
    }
    free(a);
    free(b);
    free(c);
    free(scratch);
    pool_free(pool);
}
END_TEST

START_TEST(integers_wrap_around)
{
    const int32_t a[] = { INT32_MAX, 2, -3, 4, 5, 6 }, b[] = { 2, 1, 1, 0, 7, -1 };
    int32_t c[] = { 100, 100, 100, 100 };
    const int64_t a64[] = { INT64_MAX, 1 }, b64[] = { 3, 5 };
    int64_t c64[1];
    struct gemm g = { .dtype = I32,
                      .m = 2,
                      .n = 2,
                      .k = 3,
                      .a = a,
                      .b = b,
                      .c = c,
                      .a_row = 3,
                      .a_col = 1,
                      .b_row = 2,
                      .b_col = 1,
                      .c_row = 2,
                      .c_col = 1,
                      .alpha = 1,
                      .beta = 2 };
    struct gemm wide = { .dtype = I64,
                         .m = 1,
                         .n = 1,
                         .k = 2,
                         .a = a64,
                         .b = b64,
                         .c = c64,
                         .a_row = 2,
                         .a_col = 1,
                         .b_row = 1,
                         .b_col = 1,
                         .c_row = 1,
                         .c_col = 1,
                         .alpha = 1 };

    gemm(kernels_get(), NULL, &g, NULL);
    ck_assert_int_eq(c[0], -2 + 2 - 21 + 200);
    ck_assert_int_eq(c[1], (int32_t)((uint32_t)INT32_MAX + 203));
    ck_assert_int_eq(c[2], 8 + 5 + 42 + 200);
    ck_assert_int_eq(c[3], 4 - 6 + 200);
    gemm(kernels_get(), NULL, &wide, NULL);
    ck_assert_int_eq(c64[0], (int64_t)((uint64_t)INT64_MAX * 3 + 5));
}
END_TEST

/* Nothing to sum: C is beta * C and the biases. NaN and infinity come through, whatever the zeros beside them. */
/* Counts how often each element was finished: from what lies in C, or beside it. */
struct finished {
    const struct gemm *g;
    float *values;
    uint8_t *times;
};
static void note(void *context, const float *y, int64_t from, int64_t rows, int64_t columns, int thread)
{
    const struct finished *f = context;

    (void)thread;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const int64_t at = from + i * f->g->c_row + j;

            f->values[at] = y ? y[i * columns + j] : ((const float *)f->g->c)[at];
            f->times[at]++;
        }
}

/* What is finished has its values, for any number of threads. */
START_TEST(each_element_is_finished_once)
{
    const struct kernels *const k = kernels_for(_i % 3);
    struct pool *const pools[] = { NULL, threads(2), threads(5) };

    random_state = (uint64_t)_i + 77;
    for (int round = 0; k && round < ROUNDS(50); round++) {
        const int64_t batch = round % 4 ? 1 : 1 + random_below(40);
        struct gemm g = { .dtype = F32, .m = random_size(), .n = random_size(), .k = random_size(), .alpha = 1 };
        int64_t size;
        float *a, *b, *expected;
        void *bias;

        if (round % 5 == 0) { /* shared out */
            g.m = 150 + random_below(200);
            g.n = 150 + random_below(200);
        } else if (round % 7 == 0) { /* an empty depth, and one that is cut */
            g.k = batch > 1 ? 0 : 12000;
            g.m = g.n = 60;
        }
        g.m = batch > 1 ? 1 + g.m % 40 : g.m;
        g.n = batch > 1 ? 1 + g.n % 40 : g.n;
        size = batch * g.m * g.n;
        g.a = a = random_array(F32, batch * g.m * g.k);
        g.b = b = random_array(F32, g.k * g.n);
        bias = random_array(F32, g.m + g.n);
        g.a_row = round % 3 ? g.k : 1;
        g.a_col = round % 3 ? 1 : g.m;
        g.b_row = round % 2 ? g.n : 1;
        g.b_col = round % 2 ? 1 : g.k;
        g.c_row = g.n;
        g.c_col = 1;
        g.column_bias = random_below(2) ? bias : NULL;
        g.row_bias = random_below(4) ? NULL : bias;
        g.relu = random_below(2);
        g.beta = random_below(3) ? 0 : random_below(2) ? 1 : .5;
        g.batch_rank = batch > 1;
        g.batch[0] = batch;
        g.a_batch[0] = g.m * g.k;
        g.c_batch[0] = g.m * g.n;
        g.c = expected = room((size_t)size * sizeof(float));
        memset(expected, 0, (size_t)size * sizeof(float));
        for (int p = -1; p < 3; p++) {
            struct pool *const pool = p < 0 ? NULL : pools[p];
            void *const scratch = room(gemm_scratch(k, &g, pool_threads(pool)));
            struct finished f = { &g, room((size_t)size * sizeof(float)), calloc((size_t)size, 1) };

            if (p >= 0) {
                g.c = room((size_t)size * sizeof(float));
                memset(g.c, 0, (size_t)size * sizeof(float));
                g.finish = note;
                g.finish_context = &f;
                g.finish_work = 300;
            }
            gemm(k, pool, &g, scratch);
            for (int64_t i = 0; p >= 0 && i < size; i++)
                ck_assert_int_eq(f.times[i], 1);
            if (p >= 0) {
                ck_assert_mem_eq(f.values, expected, (size_t)size * sizeof(float));
                free(g.c);
            }
            free(f.values);
            free(f.times);
            free(scratch);
        }
        free(expected);
        free(a);
        free(b);
        free(bias);
    }
    pool_free(pools[1]);
    pool_free(pools[2]);
}
END_TEST

/* Who plans has no biases yet: what they change must not want more. */
START_TEST(scratch_does_not_look_at_pointers)
{
    const struct kernels *const k = kernels_for(_i);

    random_state = 5;
    for (int round = 0; k && round < ROUNDS(2000); round++) {
        struct gemm g = { .dtype = F32, .alpha = 1, .c_col = 1, .relu = random_below(4) == 0 };
        size_t bare;

        g.m = 1 + random_below(200);
        g.n = 1 + random_below(round % 2 ? 8 : 200);
        g.k = 1 + random_below(round % 3 ? 12 : 900);
        g.a_row = round % 4 ? 1 : g.k;
        g.a_col = round % 4 ? g.m : 1;
        g.b_row = round % 5 ? g.n : 1;
        g.b_col = round % 5 ? 1 : g.k;
        g.c_row = g.n;
        bare = gemm_scratch(k, &g, 2);
        g.column_bias = &g;
        ck_assert_uint_eq(gemm_scratch(k, &g, 2), bare);
        g.row_bias = &g;
        ck_assert_uint_eq(gemm_scratch(k, &g, 2), bare);
        g.column_bias = NULL;
        ck_assert_uint_eq(gemm_scratch(k, &g, 2), bare);
    }
}
END_TEST

START_TEST(empty_depth_and_specials)
{
    float c[6] = { 1, 2, 3, 4, 5, 6 }, bias[3] = { 10, 20, 30 };
    const float a[4] = { INFINITY, 0, 1, 0 }, b[4] = { 0, 1, 1, NAN };
    struct gemm g = {
        .dtype = F32, .m = 2, .n = 3, .c = c, .c_row = 3, .c_col = 1, .alpha = 1, .beta = 1, .column_bias = bias
    };
    struct gemm special = { .dtype = F32,
                            .m = 2,
                            .n = 2,
                            .k = 2,
                            .a = a,
                            .b = b,
                            .c = c,
                            .a_row = 2,
                            .a_col = 1,
                            .b_row = 2,
                            .b_col = 1,
                            .c_row = 2,
                            .c_col = 1,
                            .alpha = 1 };
    void *const scratch = room(gemm_scratch(kernels_get(), &special, 1) + gemm_scratch(kernels_get(), &g, 1));

    gemm(kernels_get(), NULL, &g, scratch);
    ck_assert_float_eq(c[0], 11);
    ck_assert_float_eq(c[5], 36);
    gemm(kernels_get(), NULL, &special, scratch);
    for (int i = 0; i < 2; i++)
        ck_assert_float_nan(c[i]);
    ck_assert_float_eq(c[2], 0);
    ck_assert_float_nan(c[3]);
    free(scratch);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("gemm");

    add_test(s, blis_runs_what_the_cpu_can);
    add_tests(s, products_are_right, 6);
    add_tests(s, older_cpus_get_what_is_theirs, STEP_AVX512 + 1);
    add_tests(s, each_element_is_finished_once, 6);
    add_test(s, batches_broadcast);
    add_test(s, integers_wrap_around);
    add_tests(s, scratch_does_not_look_at_pointers, 3);
    add_test(s, empty_depth_and_specials);
    return s;
}
