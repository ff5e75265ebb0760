/* Gelu, https://onnx.ai/onnx/operators/onnx__Gelu.html; Hendrycks and Gimpel, arXiv:1606.08415
 *
 *   none   y = x * P(x)               P(x) = (1 + erf(x / sqrt(2))) / 2
 *   tanh   y = x * S(x)               S(x) = (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u))
 *                                     u = sqrt(2 / pi) * (x + 0.044715 * x^3)
 *
 *   none   dx = dy * (P(x) + x * exp(-x^2 / 2) / sqrt(2 pi))
 *   tanh   dx = dy * (S(x) + 2 * x * S(x) * (1 - S(x)) * u')
 *
 * P by erfc and S by exp keep their digits where x is far below 0. */
#include "ops/formula.h"

/* x times the normal distribution's probability of less than x, whose tail, for a = |x|, is exp(-a^2 / 2) times a
 * rational function. */
static inline float gelu_of(float x)
{
    const double low = x < -20.f ? -20 : (double)x; /* 0 from there on, and no infinity times 0 */
    const double a = low < 0 ? -low : low > 20 ? 20 : low;
    double p = FMA_WIDE(.004123787505978461, a, .04068352692135556);
    double q = FMA_WIDE(.010336684299397532, a, .10198485757236221);
    double tail, inverse;

    p = FMA_WIDE(p, a, .18338421698643487);
    p = FMA_WIDE(p, a, .4384959659048408);
    p = FMA_WIDE(p, a, .5000000029875225);
    q = FMA_WIDE(q, a, .4698642255366529);
    q = FMA_WIDE(q, a, 1.2031220256873243);
    q = FMA_WIDE(q, a, 1.674876917926183);
    q = FMA_WIDE(q, a, 1);
    inverse = (double)(1 / (float)q);
    inverse *= FMA_WIDE(-q, inverse, 2); /* one step of Newton's: cheaper than to divide doubles */
    tail = exp_wide(-.5 * a * a) * p * inverse;
    return (float)(low * (x < 0 ? tail : 1 - tail));
}
static inline float gelu_tanh_of(float x) /* x / 2 * (1 + tanh(u)) = x / (1 + exp(-2 u)) */
{
    const double low = x < -20.f ? -20 : (double)x;
    const double w = low * FMA_WIDE(low * low, -.07135481627260025, -1.5957691216057308);

    return (float)(low / (1 + exp_wide(w)));
}
static inline float gelu_tanh_slope(float x)
{
    const float t = tanh_of(.797884561f * (x + .044715f * x * x * x));

    return .5f * (1 + t) + .5f * x * (1 - t * t) * (.797884561f + .107032224f * x * x);
}

#define ROOT_2_PI   (M_2_SQRTPI * M_SQRT1_2) /* sqrt(2 / pi) */
#define PROBABILITY EITHER(.5f * (1 + erf_of(x * .707106781f)), .5 * erfc(-x * M_SQRT1_2))
#define SMOOTH      (1 / (1 + exp(-2 * ROOT_2_PI * (x + 0.044715 * x * x * x))))
#define SMOOTH_DX   (SMOOTH + 2 * x * SMOOTH * (1 - SMOOTH) * (ROOT_2_PI * (1 + 3 * 0.044715 * x * x)))

#define NAME    gelu
#define VALUE   EITHER(gelu_of(x), x *PROBABILITY)
#define DX_OF_X (dy * (PROBABILITY + x * (T)0.39894228040143268 * EXP(-(T)0.5 * x * x)))
#define RISES   false
#define WORK    EXPONENTIAL
#include "ops/unary_formula.h"

#define NAME    gelu_tanh
#define VALUE   EITHER(gelu_tanh_of(x), x *SMOOTH)
#define DX_OF_X (dy * EITHER(gelu_tanh_slope(x), SMOOTH_DX))
#define RISES   false
#define WORK    EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

enum { NONE, TANH };
struct gelu {
    int approximate;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "none", "tanh", NULL };
    struct gelu *a = attrs;

    a->approximate = attr_choice(p, "approximate", names, NONE);
    return true;
}

/* -- run -- */

static const struct formula *formula_by(const void *attrs)
{
    return ((const struct gelu *)attrs)->approximate == TANH ? &formula_gelu_tanh : &formula_gelu;
}

static bool run(struct step *s)
{
    return unary_run(s, formula_by(s->attrs), (struct numbers){ 0 });
}

static bool read_chain(const struct node *n, struct chain_step *s)
{
    s->formula = formula_by(n->attrs);
    return true;
}

static const struct chain_rule chain = { &formula_gelu, 0, CHAIN_NOTHING, read_chain };

/* -- differentiate -- */

static bool run_grad(struct step *s)
{
    return unary_grad_run(s, formula_by(s->attrs)->dx_of_x, (struct numbers){ 0 });
}

static bool read_grad_chain(const struct node *n, struct chain_step *s)
{
    s->formula = formula_by(n->attrs)->dx_of_x;
    return true;
}

static const struct chain_rule grad_chain = { &formula_gelu_of_x, 1, 0, read_grad_chain };

/* P(x) + x * exp(-x^2 / 2) / sqrt(2 pi) */
static struct value *slope(const struct slope *s)
{
    struct value *p = slope_1(s, "Erf", slope_2(s, "Mul", s->of, slope_number(s, M_SQRT1_2)));
    struct value *density = slope_2(s, "Mul", slope_2(s, "Mul", s->of, s->of), slope_number(s, -.5));

    p = slope_2(s, "Mul", slope_2(s, "Add", p, slope_number(s, 1)), slope_number(s, .5));
    density = slope_2(s, "Mul", slope_1(s, "Exp", density), slope_number(s, 0.39894228040143268));
    return slope_2(s, "Add", p, slope_2(s, "Mul", s->of, density));
}

/* S(x) + 2 * x * S(x) * (1 - S(x)) * u' */
static struct value *slope_tanh(const struct slope *s)
{
    struct value *const one = slope_number(s, 1), *const square = slope_2(s, "Mul", s->of, s->of);
    struct value *u = slope_2(s, "Add", one, slope_2(s, "Mul", square, slope_number(s, 0.044715)));
    struct value *du = slope_2(s, "Add", one, slope_2(s, "Mul", square, slope_number(s, 3 * 0.044715)));
    struct value *sigmoid, *inner;

    u = slope_2(s, "Mul", slope_2(s, "Mul", s->of, slope_number(s, 2 * ROOT_2_PI)), u);
    du = slope_2(s, "Mul", slope_2(s, "Mul", s->of, slope_number(s, 2 * ROOT_2_PI)), du);
    sigmoid = slope_1(s, "Sigmoid", u);
    inner = slope_2(s, "Mul", sigmoid, slope_2(s, "Sub", one, sigmoid));
    return slope_2(s, "Add", sigmoid, slope_2(s, "Mul", inner, du));
}

static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const bool by_tanh = ((const struct gelu *)n->attrs)->approximate == TANH;

    return unary_spell_out(e, n, in, out, by_tanh ? slope_tanh : slope, (struct numbers){ 0 });
}

static const struct op gelu_grad = {
    .name = "GeluGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(sizeof(struct gelu), run_grad, &grad_chain, spell_out), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &gelu_grad, forward_in(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "f64[5,7]", "", "f64[5,7]", 1 },
    { "f32[2,3,4]", "approximate='tanh'", "f32[2,3,4]", 1 },
    { "f64[5,7]", "approximate='tanh'", "f64[5,7]", 1 },
    { "f16[3,5]", "approximate='none'", "f16[3,5]", 0 },
    { "bf16[600]", "approximate='tanh'", "bf16[600]", 0 },
    { "f32[]", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_gelu = {
    .name = "Gelu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 20,
              .signature = "T X -> T Y",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct gelu),
              .parse = parse,
              .infer = unary_infer,
              .run = run,
              .chain = &chain,
              .gradient = gradient,
              .flags = OP_ELEMENTWISE,
              .cases = cases },
            { 0 },
        },
};

#endif
