/* The vector functions of formulas against libm's in double: at most 2 units in the last place. The suite goes
 * over a part of all floats, spread evenly, and over what lies around places where a formula changes; with
 * KILN_EVERY_FLOAT set over every single one, which takes a minute or two. */
#include "ops/elementwise.h"
#include "ops/registry.h"
#include "unit.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRIDE = 1009, BLOCK = 4096, AROUND = 64, THREADS = 64, LEVELS = CPU_LEVELS };

/* -- the functions -- */

static double exact_elu(double x)
{
    return x < 0 ? expm1(x) : x;
}
static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double exact_softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double exact_gelu(double x)
{
    return x == -INFINITY ? 0 : .5 * x * erfc(-x * M_SQRT1_2);
}
static double exact_gelu_tanh(double x)
{
    const double u = 2 * M_2_SQRTPI * M_SQRT1_2 * (x + .044715 * x * x * x);

    return x == -INFINITY ? 0 : x / (1 + exp(-u));
}

extern const struct formula formula_gelu_tanh;

static const struct function {
    const char *name;
    const struct op *op; /* whose formula it is; NULL: gelu_tanh */
    double (*exact)(double x);
    float places[12]; /* around which every float is looked at, on both sides of 0 */
} functions[] = {
    { "exp", &op_exp, exp, { 0, .34657359f, 1.0397208f, 87.336545f, 88.72284f, 103.97f, 104 } },
    { "elu", &op_elu, exact_elu, { 0, .34657359f, 1.0397208f, 1, 16.6f, 17.3f, 20 } },
    { "tanh", &op_tanh, tanh, { 0, .5f, .625f, 1, 8.66f, 9.01f, 44 } },
    { "erf", &op_erf, erf, { 0, .5f, .75f, .94f, 1, 2, 3.83f, 4.1f } },
    { "sigmoid", &op_sigmoid, exact_sigmoid, { 0, 1, 16.6f, 17.3f, 87.336545f, 88.72284f, 104 } },
    { "log", &op_log, log, { 0, FLT_MIN, .70710678f, 1, 1.4142135f, 2, FLT_MAX } },
    { "softplus", &op_softplus, exact_softplus, { 0, 1, 16.6f, 17.3f, 87.336545f, 104 } },
    { "gelu", &op_gelu, exact_gelu, { 0, 1, 2, 4, 5.5f, 13, 14.3f, 20 } },
    { "gelu_tanh", NULL, exact_gelu_tanh, { 0, 1, 3, 5, 10.2f, 10.9f, 12, 20 } },
    { "sinh", &op_sinh, sinh, { 0, .34657359f, 1, 2, 88.72284f, 89.415985f, 90, FLT_MAX } },
    { "cosh", &op_cosh, cosh, { 0, .34657359f, 1, 2, 88.72284f, 89.415985f, 90, FLT_MAX } },
    { "asinh", &op_asinh, asinh, { 0, .01f, .35355339f, 1, 1.0606602f, 4096, 1.8446744e19f, FLT_MAX } },
    { "acosh", &op_acosh, acosh, { 0, 1, 1.0606602f, 2, 4096, 1.8446744e19f, FLT_MAX } },
    { "atanh", &op_atanh, atanh, { 0, .01f, .17157288f, .33333333f, .5f, 1, 2, FLT_MAX } },
};

/* -- errors -- */

static float float_of(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}
static uint32_t bits_of(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* The last place of a float next to `exact`: what is subnormal has that of the smallest normal. */
static double last_place(double exact)
{
    uint64_t bits;
    int exponent;
    double place;

    memcpy(&bits, &exact, sizeof bits);
    exponent = (int)(bits >> 52 & 0x7ff);
    exponent = exponent < 1023 - 126 ? 1023 - 126 : exponent > 1023 + 127 ? 1023 + 127 : exponent;
    bits = (uint64_t)(exponent - 23) << 52;
    memcpy(&place, &bits, sizeof place);
    return place;
}

/* In units of the last place. What is subnormal may be 0. */
static double error_of(float y, double exact)
{
    double wide = (double)y;

    if (isnan(exact) || isnan(wide))
        return isnan(exact) && isnan(wide) ? 0 : INFINITY;
    if (isinf(wide)) /* where the next float would be, had it a larger exponent */
        wide = copysign(0x1p128, wide);
    if (fabs(exact) > 0x1p128)
        exact = copysign(0x1p128, exact);
    if (fabs(exact) < (double)FLT_MIN && y == 0)
        return 0;
    return fabs(wide - exact) / last_place(exact);
}

struct worst {
    double error;
    float x;
};

struct search {
    const struct function *f;
    const struct kernels *k[LEVELS];
    uint32_t step;
    int64_t count; /* of floats: bits 0, step, 2 * step ... */
    struct worst worst[THREADS][LEVELS];
};

static void compare(struct search *s, const float *x, int64_t n, int thread)
{
    double exact[BLOCK];
    float y[BLOCK], nearest[BLOCK];

    for (int64_t i = 0; i < n; i++) {
        exact[i] = s->f->exact((double)x[i]);
        nearest[i] = (float)exact[i];
    }
    for (int level = 0; level < LEVELS; level++) {
        struct worst *w = &s->worst[thread][level];
        if (!s->k[level])
            continue;
        formula_of_1(s->f->op ? formula_of(s->f->op) : &formula_gelu_tanh, s->k[level], (struct numbers){ 1, 0 }, x, y,
                     n);
        for (int64_t i = 0; i < n; i++)
            if (y[i] != nearest[i]) { /* else the error is at most a half */
                const double error = error_of(y[i], exact[i]);

                if (error > w->error)
                    *w = (struct worst){ error, x[i] };
            }
    }
}

static void search_chunk(void *context, int64_t chunk, int thread)
{
    struct search *s = context;
    const int64_t from = chunk * BLOCK, n = s->count - from < BLOCK ? s->count - from : BLOCK;
    float x[BLOCK];

    for (int64_t i = 0; i < n; i++)
        x[i] = float_of((uint32_t)(from + i) * s->step);
    compare(s, x, n, thread);
}

static void search_places(struct search *s)
{
    float x[4 * AROUND];

    for (size_t p = 0; p < sizeof s->f->places / sizeof *s->f->places; p++) {
        for (uint32_t i = 0; i < 2 * AROUND; i++) {
            const uint32_t bits = bits_of(s->f->places[p]) + i - AROUND;

            x[i] = float_of(bits & 0x7fffffff);
            x[2 * AROUND + i] = -x[i];
        }
        compare(s, x, 4 * AROUND, 0);
    }
}

static bool is_every(void)
{
    const char *every = getenv("KILN_EVERY_FLOAT");

    return every && *every && strcmp(every, "0") != 0;
}

START_TEST(functions_are_within_2_ulp)
{
    static struct search s;
    struct budget budget = { 0 };
    struct report report = { 0 };
    struct pool *pool = pool_new(0, &budget, &report);

    ck_assert(pool && pool_threads(pool) <= THREADS);
    s = (struct search){ .f = &functions[_i] };
    s.step = is_every() ? 1 : STRIDE;
    s.count = (INT64_C(1) << 32) / s.step;
    for (int level = 0; level < LEVELS; level++)
        s.k[level] = kernels_for((enum cpu_level)level);
    pool_run(pool, (s.count + BLOCK - 1) / BLOCK, search_chunk, &s);
    search_places(&s);
    for (int level = 0; level < LEVELS; level++) {
        struct worst w = s.worst[0][level];

        for (int t = 1; t < pool_threads(pool); t++)
            if (s.worst[t][level].error > w.error)
                w = s.worst[t][level];
        if (!s.k[level])
            continue;
        printf("# %s, %s: %.3f ulp at %a\n", s.f->name, cpu_level_name((enum cpu_level)level), w.error, (double)w.x);
        fflush(stdout);
        ck_assert_msg(w.error <= 2, "%s, %s: %.3f ulp at %a", s.f->name, cpu_level_name((enum cpu_level)level), w.error,
                      (double)w.x);
    }
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("every_float");
    TCase *c = test_case("functions_are_within_2_ulp", functions_are_within_2_ulp,
                         (int)(sizeof functions / sizeof *functions), NULL, NULL);

    if (is_every())
        tcase_set_timeout(c, 600);
    suite_add_tcase(s, c);
    return s;
}
