/* Elu, https://onnx.ai/onnx/operators/onnx__Elu.html; Clevert et al., arXiv:1511.07289
 *
 *   y = x < 0 ? alpha * (exp(x) - 1) : x        dx = dy * (x < 0 ? alpha * exp(x) : 1)
 *
 * Where alpha is positive, x < 0 is y < 0, and alpha * exp(x) is y + alpha: the output is saved, and no exponential
 * computed again. */
#define OPERATOR  "Elu"
#define NAME      elu
#define VALUE     (x < 0 ? alpha * EXPM1(x) : x)
#define DX_OF_X   (x < 0 ? alpha * EXP(x) * dy : dy)
#define DX_OF_Y   (y < 0 ? dy * (y + alpha) : dy)
#define Y_TELLS   (alpha > 0)
#define RISES     (alpha >= 0)
#define DX_BEFORE (x < 0 ? dy * (alpha * EXPM1(x) + alpha) : dy)
#define WORK      EXPONENTIAL
#define NUMBERS
#define SLOPE_OF_X slope_of_x
#define SLOPE_OF_Y slope_of_y
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* No exponential of what is above 0 is taken: it may be infinite, which times 0 is NaN. */
static struct value *slope_of_x(const struct slope *s)
{
    struct value *const zero = slope_number(s, 0), *const below = slope_2(s, "Less", s->of, zero);
    struct value *const power = slope_1(s, "Exp", slope_where(s, below, s->of, zero));

    return slope_where(s, below, slope_2(s, "Mul", power, slope_number(s, (double)s->numbers.alpha)),
                       slope_number(s, 1));
}

static struct value *slope_of_y(const struct slope *s)
{
    return slope_where(s, slope_2(s, "Less", s->of, slope_number(s, 0)),
                       slope_2(s, "Add", s->of, slope_number(s, (double)s->numbers.alpha)), slope_number(s, 1));
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=2.5", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=-0.5", "f64[5,7]", 1 },
    { "f32[5,7]~", "alpha=-0.5", "f32[5,7]", 1 },
    { "f64[5,7]~", "alpha=0.0", "f64[5,7]", 1 },
    { "f64[3]{-1,2,800}", "alpha=-0.5", "f64[3]", 1 }, /* exp(800) is infinite */
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]~", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, UNARY_PARTS, .cases = cases                                                                    \
    }

const struct op op_elu = {
    .name = "Elu",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(6, "T: floats"), ROW(1, "T: floats"), { 0 } },
};

#endif
