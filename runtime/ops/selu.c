/* Selu, https://onnx.ai/onnx/operators/onnx__Selu.html; Klambauer et al., arXiv:1706.02515
 *
 *   y = x > 0 ? gamma * x : gamma * alpha * (exp(x) - 1)        dx = dy * (x > 0 ? gamma : gamma * alpha * exp(x))
 *
 * Where alpha and gamma are positive, x > 0 is y > 0, and gamma * alpha * exp(x) is y + gamma * alpha: the output is
 * saved, and no exponential computed again. gamma is `beta` in struct numbers. */
#define OPERATOR  "Selu"
#define NAME      selu
#define VALUE     (x > 0 ? beta * x : beta * (alpha * EXPM1(x)))
#define DX_OF_X   (x > 0 ? beta * dy : beta * alpha * EXP(x) * dy)
#define DX_OF_Y   (y > 0 ? dy * beta : dy * (y + alpha * beta))
#define Y_TELLS   (alpha > 0 && beta > 0)
#define RISES     (alpha >= 0 && beta >= 0)
#define DX_BEFORE (x > 0 ? dy * beta : dy * (beta * (alpha * EXPM1(x)) + alpha * beta))
#define WORK      EXPONENTIAL
#define NUMBERS
#define SLOPE_OF_X slope_of_x
#define SLOPE_OF_Y slope_of_y
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* No exponential of what is above 0 is taken: it may be infinite, which times 0 is NaN. */
static struct value *slope_of_x(const struct slope *s)
{
    const double alpha = (double)s->numbers.alpha, beta = (double)s->numbers.beta;
    struct value *const zero = slope_number(s, 0), *const above = slope_2(s, "Greater", s->of, zero);
    struct value *const power = slope_1(s, "Exp", slope_where(s, above, zero, s->of));

    return slope_where(s, above, slope_number(s, beta), slope_2(s, "Mul", power, slope_number(s, alpha * beta)));
}

static struct value *slope_of_y(const struct slope *s)
{
    const double alpha = (double)s->numbers.alpha, beta = (double)s->numbers.beta;

    return slope_where(s, slope_2(s, "Greater", s->of, slope_number(s, 0)), slope_number(s, beta),
                       slope_2(s, "Add", s->of, slope_number(s, alpha * beta)));
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1.67326319217681884765625f);
    a->beta = attr_float(p, "gamma", 1.05070102214813232421875f);
    return true;
}

/* The same, in fewer digits. */
static bool parse_1(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1.6732f);
    a->beta = attr_float(p, "gamma", 1.0507f);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=2.5 gamma=0.5", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=-0.5 gamma=1.5", "f64[5,7]", 1 },
    { "f32[5,7]~", "alpha=-0.5 gamma=1.5", "f32[5,7]", 1 },
    { "f64[5,7]~", "gamma=-2.0", "f64[5,7]", 1 },
    { "f64[3]{-1,2,800}", "gamma=-2.0", "f64[3]", 1 }, /* exp(800) is infinite */
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]~", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list, reader)                                                                                     \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = reader, UNARY_PARTS, .cases = cases                                                                   \
    }

const struct op op_selu = {
    .name = "Selu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16", parse), ROW(6, "T: floats", parse), ROW(1, "T: floats", parse_1), { 0 } },
};

#endif
