/* Formulas (kernels/formula.h): those that are known here against libm, all that an operator has against each other: the
 * loops of each instruction set against that of doubles, gradients against differences. */
#include "kernels/formula.h"
#include "numbers.h"
#include "ops/elementwise.h"
#include "ops/registry.h"
#include <float.h>

static const struct numbers numbers = { .25f, .75f };

/* -- against libm -- */

static double exactly(const char *name, double x, double a, double b)
{
    const double root = 1 / sqrt(2);

    if (isnan(x))
        return x;

#define FUNCTION(n, value)                                                                                             \
    if (!strcmp(name, #n))                                                                                             \
        return value;
    FUNCTION(sigmoid, 1 / (1 + exp(-x)))
    FUNCTION(swish, x / (1 + exp(-x)))
    FUNCTION(tanh, tanh(x))
    FUNCTION(exp, exp(x))
    FUNCTION(log, log(x))
    FUNCTION(softplus, x > 30 ? x : log1p(exp(x)))
    FUNCTION(erf, erf(x))
    FUNCTION(elu, x < 0 ? a * expm1(x) : x)
    FUNCTION(selu, x > 0 ? b * x : b * a * expm1(x))
    FUNCTION(gelu, isinf(x) && x < 0 ? 0 : x / 2 * erfc(-x * root))
    FUNCTION(gelu_tanh, isinf(x) && x < 0 ? 0 : x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + .044715 * x * x * x))))
    FUNCTION(sqrt, sqrt(x))
    FUNCTION(relu, x < 0 ? 0 : x)
    FUNCTION(leaky_relu, x < 0 ? a * x : x)
    FUNCTION(hard_sigmoid, fmax(0, fmin(1, a * x + b)))
    FUNCTION(clip, fmin(b, fmax(a, x)))
    FUNCTION(reciprocal, 1 / x)
    FUNCTION(neg, -x)
    FUNCTION(square, x * x)
    FUNCTION(cube, x * x * x)
    FUNCTION(root, x == -INFINITY ? INFINITY : sqrt(x + 0))
    FUNCTION(softsign, x / (1 + fabs(x)))
#undef FUNCTION
    ck_abort_msg("'%s' has no exact value here", name);
    return 0;
}

static double ulps(float got, double wanted) /* the distance in units of the last place; subnormals may be flushed */
{
    int exponent;

    if (isnan(wanted) || isnan(got))
        return isnan(wanted) && isnan(got) ? 0 : INFINITY;
    if (isinf(got) || fabs(wanted) > 3.4028236e38)
        return (double)got == (double)(float)wanted ? 0 : INFINITY;
    if (fabs(wanted) < 1.17549435e-38 && fabsf(got) <= 1.17549435e-38f)
        return 0;
    frexp(wanted, &exponent);
    return fabs((double)got - wanted) / ldexp(1, exponent - 24);
}

static void check_unary(const char *name, const struct formula *f, const struct kernels *k)
{
    enum { N = 20011 }; /* prime: every vector's tail */
    const bool cancels = !strcmp(name, "swish") || !strcmp(name, "hard_sigmoid");
    const float specials[] = { NAN, INFINITY, -INFINITY, 0, -0.f, 1e-40f, 88.8f, -104, 3e38f };
    float *const x = room(sizeof(float) * N), *const y = room(sizeof(float) * (N + 1)),
                 *const z = room(sizeof(float) * N);

    for (int i = 0; i < N; i++)
        x[i] = (float)(random_unit() * exp(random_unit() * 6));
    memcpy(x + 100, specials, sizeof specials);
    y[N] = 7;
    formula_of_1(f, k, numbers, x, y, N);
    ck_assert_float_eq(y[N], 7);
    formula_of_1(f, kernels_for(CPU_BASE), numbers, x, z, N);
    for (int i = 0; i < N; i++) {
        const double wanted = exactly(name, (double)x[i], .25, .75);

        if (cancels && isfinite(wanted) && isfinite(y[i])) {
            expect_near(name, i, (double)y[i], wanted, 4e-7 * (1 + fabs((double)x[i])));
            expect_near(name, i, (double)z[i], wanted, 4e-7 * (1 + fabs((double)x[i])));
        } else if (!cancels) {
            ck_assert_msg(ulps(y[i], wanted) <= 3 && ulps(z[i], wanted) <= 3, "%s(%.9g): %.9g and %.9g, wanted %.9g",
                          name, (double)x[i], (double)y[i], (double)z[i], wanted);
        }
    }
    formula_of_1(f, k, numbers, x, x, N); /* in place */
    ck_assert_int_eq(memcmp(x, y, sizeof(float) * N), 0);
    free(x);
    free(y);
    free(z);
}

extern const struct formula formula_gelu_tanh, formula_swish, formula_square, formula_cube, formula_root;

START_TEST(unary_formulas_are_exact_enough)
{
    const struct kernels *const k = kernels_for(_i);

    if (!k)
        return;
    ck_assert_int_eq(k->level, _i);
#define CHECK(name) check_unary(#name, formula_of(&op_##name), k);
    CHECK(relu)
    CHECK(leaky_relu)
    CHECK(elu)
    CHECK(selu)
    CHECK(sigmoid)
    CHECK(hard_sigmoid)
    CHECK(tanh)
    CHECK(exp)
    CHECK(log)
    CHECK(softplus)
    CHECK(erf)
    CHECK(gelu)
    CHECK(sqrt)
    CHECK(reciprocal)
    CHECK(neg)
    CHECK(softsign)
    CHECK(clip)
#undef CHECK
    check_unary("gelu_tanh", &formula_gelu_tanh, k);
    check_unary("swish", &formula_swish, k);
    check_unary("square", &formula_square, k);
    check_unary("cube", &formula_cube, k);
    check_unary("root", &formula_root, k);
}
END_TEST

/* -- of every operator -- */

enum { N = 1009 };

/* Next to nothing, for float, beside what was met on the way. */
static void expect_like(const char *op, const char *what, double x, double got, double wanted, double size)
{
    if (!isfinite(wanted) || fabs(wanted) > (double)FLT_MAX)
        return;
    ck_assert_msg(fabs(got - wanted) <= 4e-6 * (1 + fabs(wanted) + size), "%s, %s of %.9g: %.9g, wanted %.9g", op, what,
                  x, got, wanted);
}

struct samples {
    float x[N], dy[N], y[N + 1];
    double wide_x[N], wide_dy[N], wide_y[N];
};

static void draw(struct samples *s)
{
    for (int i = 0; i < N; i++) {
        s->x[i] = (float)(random_unit() * 6);
        s->dy[i] = (float)random_unit();
        s->wide_x[i] = (double)s->x[i];
        s->wide_dy[i] = (double)s->dy[i];
    }
    s->y[N] = 7;
}

static void wide_of_2(const struct formula *f, const double *p, const double *q, double *y)
{
    f->types[F64](&(const struct elements){ .y = y, .x = { p, q }, .step = { 1, 1 }, .n = N, .numbers = numbers });
}

static void differences(const struct formula *of, const double *x, double step, double *slope)
{
    double high[N], low[N];

    for (int i = 0; i < N; i++) {
        high[i] = x[i] + step;
        low[i] = x[i] - step;
    }
    wide_of_2(of, high, NULL, high);
    wide_of_2(of, low, NULL, low);
    for (int i = 0; i < N; i++)
        slope[i] = (high[i] - low[i]) / (2 * step);
}

/* Two steps say what the width of a step is to blame for (Richardson): Sqrt next to 0 bends within one. */
static void find_slopes(const struct formula *of, const double *x, double *slope)
{
    const double step = 1e-6;
    double wider[N];

    differences(of, x, step, slope);
    differences(of, x, 2 * step, wider);
    for (int i = 0; i < N; i++)
        if (isfinite(wider[i]))
            slope[i] += (slope[i] - wider[i]) / 3;
}

/* The gradient `f`, whose operand is x or y of `of`, against a difference, and float against double. */
static void check_gradient(const char *op, const struct kernels *k, const struct formula *of, const struct formula *f,
                           bool of_y)
{
    struct samples s;
    float saved[N];
    double slope[N], wide_saved[N];

    draw(&s);
    wide_of_2(of, s.wide_x, NULL, wide_saved);
    for (int i = 0; i < N; i++) {
        wide_saved[i] = of_y ? wide_saved[i] : s.wide_x[i];
        saved[i] = (float)wide_saved[i];
    }
    formula_of_2(f, k, numbers, saved, s.dy, s.y, N);
    wide_of_2(f, wide_saved, s.wide_dy, s.wide_y);
    ck_assert_float_eq(s.y[N], 7);
    find_slopes(of, s.wide_x, slope);
    for (int i = 0; i < N; i++) {
        expect_like(op, "gradient", s.wide_x[i], (double)s.y[i], s.wide_y[i], fabs(s.wide_y[i]) * 10);
        if (isfinite(slope[i]) && fabs(slope[i]) < 1e3)
            ck_assert_msg(fabs(s.wide_y[i] - slope[i] * s.wide_dy[i]) <= 1e-6 * (1 + fabs(slope[i])),
                          "%s: the gradient at %.9g is %.9g, wanted %.9g", op, s.wide_x[i], s.wide_y[i],
                          slope[i] * s.wide_dy[i]);
    }
}

/* As it stands behind a normalisation: z is made of x as a row of columns is. */
static void check_before(const char *op, const struct kernels *k, const struct formula *f)
{
    enum { ROWS = 7, COLUMNS = N / ROWS };
    const struct formula *const dx = f->dx_of_y ? f->dx_of_y : f->dx_of_x;
    struct samples s;
    float mean[COLUMNS], scale[COLUMNS], shift[COLUMNS];
    double z[N], saved[N];

    draw(&s);
    for (int c = 0; c < COLUMNS; c++) {
        mean[c] = (float)random_unit();
        scale[c] = (float)random_unit();
        shift[c] = (float)random_unit();
    }
    for (int i = 0; i < N; i++)
        z[i] = (double)((s.x[i] - mean[i % COLUMNS]) * scale[i % COLUMNS] + shift[i % COLUMNS]);
    f->level[k->level]->before(s.x, s.dy, s.y, ROWS, COLUMNS, mean, scale, shift, numbers);
    wide_of_2(f, z, NULL, saved);
    wide_of_2(dx, f->dx_of_y ? saved : z, s.wide_dy, s.wide_y);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        expect_like(op, "gradient behind a normalisation", z[i], (double)s.y[i], s.wide_y[i], 0);
}

static void check_value(const char *op, const struct kernels *k, const struct formula *f)
{
    struct samples s;

    draw(&s);
    formula_of_2(f, k, numbers, s.x, s.dy, s.y, N);
    wide_of_2(f, s.wide_x, s.wide_dy, s.wide_y);
    ck_assert_float_eq(s.y[N], 7);
    for (int i = 0; i < N; i++)
        expect_like(op, "value", s.wide_x[i], (double)s.y[i], s.wide_y[i], fabs(s.wide_x[i]));
}

/* Of two operands, one of which is one element for all: as if it were as many. */
static void check_one(const char *op, const struct kernels *k, const struct formula *f)
{
    struct samples s;
    float many[N], wanted[N];

    draw(&s);
    for (int i = 0; i < N; i++)
        many[i] = .3f;
    for (int one = 0; one < 2; one++) {
        formula_f32(f, k)(&(const struct elements){
            .y = s.y, .x = { one ? s.x : many, one ? many : s.x }, .step = { one, !one }, .n = N });
        formula_of_2(f, k, numbers, one ? s.x : many, one ? many : s.x, wanted, N);
        ck_assert_msg(!memcmp(s.y, wanted, sizeof wanted), "%s: operand %d is one for all", op, one);
    }
}

START_TEST(formulas_of_every_operator_agree)
{
    const struct kernels *const k = kernels_for(_i);
    int count = 0;

    for (const struct op *const *o = op_registry; k && *o; o++) {
        const struct chain_rule *const rule = (*o)->defs->chain;
        const struct formula *const f = rule ? rule->formula : NULL;

        if (!f)
            continue;
        count++;
        check_value((*o)->name, k, f);
        if (f->takes_one)
            check_one((*o)->name, k, f);
        if (f->dx_of_x)
            check_gradient((*o)->name, k, f, f->dx_of_x, false);
        if (f->dx_of_y)
            check_gradient((*o)->name, k, f, f->dx_of_y, true);
        ck_assert_int_eq(!f->rises, !f->level[k->level]->before);
        if (f->rises)
            check_before((*o)->name, k, f);
    }
    ck_assert(!k || count > 20);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("formula");

    add_tests(s, unary_formulas_are_exact_enough, CPU_LEVELS);
    add_tests(s, formulas_of_every_operator_agree, CPU_LEVELS);
    return s;
}
