/* Celu, https://onnx.ai/onnx/operators/onnx__Celu.html
 *
 *   y = x < 0 ? alpha * (exp(x / alpha) - 1) : x        dx = x < 0 ? dy * exp(x / alpha) : dy
 *
 * See Barron, arXiv:1704.07483. The standard has max(0, x) + min(0, alpha * (exp(x / alpha) - 1)): the same for every
 * alpha, of either sign, but 0. */
#define OPERATOR "Celu"
#define NAME     celu
#define BELOW    (alpha > 0 ? alpha * EXPM1(x / alpha) : alpha * (EXP(x / alpha) - 1))
#define VALUE    (x < 0 ? BELOW : x)
#define DX_OF_X  (x < 0 ? dy * EXP(x / alpha) : dy)
#define RISES    true
#define WORK     EXPONENTIAL
#define NUMBERS
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* 1 where x is no less than 0: that of 0. */
static struct value *slope(const struct slope *s)
{
    struct value *const zero = slope_number(s, 0);
    struct value *const below = slope_where(s, slope_2(s, "Less", s->of, zero), s->of, zero);

    return slope_1(s, "Exp", slope_2(s, "Div", below, slope_number(s, (double)s->numbers.alpha)));
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    return a->alpha != 0 || parse_error(p, "attribute 'alpha' is 0, must be another number");
}

/* -- test -- */

static const struct op_case cases[] = { { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
                                        { "f32[5,7]", "alpha=2.5", "f32[5,7]", 1 },
                                        { "f32[5,7]", "alpha=-1.5", "f32[5,7]", 1 },
                                        { "f32[]", "", "f32[]", 1 },
                                        { "f32[0,3]", "", "f32[0,3]", 0 },
                                        { "f32[40001]", "", "f32[40001]", 0 },
                                        { 0 } };
static const struct op_case cases_28[] = { { "f64[2,3,4]", "alpha=2.5", "f64[2,3,4]", 1 },
                                           { "f16[600]", "alpha=-1.5", "f16[600]", 0 },
                                           { "bf16[5,7]", "", "bf16[5,7]", 0 },
                                           { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
                                           { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, UNARY_PARTS, .cases = tests                                                                    \
    }

const struct op op_celu = {
    .name = "Celu",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "T: floats bf16", cases_28), ROW(12, "T: f32", cases), { 0 } },
};

#endif
