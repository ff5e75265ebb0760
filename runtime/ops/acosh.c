/* Acosh, https://onnx.ai/onnx/operators/onnx__Acosh.html
 *
 *   y = acosh(x)        dx = dy / sqrt(x^2 - 1)
 *
 * NaN below 1. The root as sqrt(x - 1) sqrt(x + 1) keeps its digits next to 1. */
#define OPERATOR   "Acosh"
#define NAME       acosh
#define VALUE      ACOSH(x)
#define DX_OF_X    (dy / (SQRT(x - 1) * SQRT(x + 1)))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    struct value *const below = slope_1(s, "Sqrt", slope_2(s, "Sub", s->of, slope_number(s, 1)));
    struct value *const above = slope_1(s, "Sqrt", slope_2(s, "Add", s->of, slope_number(s, 1)));

    return slope_1(s, "Reciprocal", slope_2(s, "Mul", below, above));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[15]~", "", "f32[15]", 0 },
    { "f32[2,3]{1.05,1.5,2,3,10,50}", "", "f32[2,3]", 1 },
    { "f64[5]{1.01,1.5,2,30,1e3}", "", "f64[5]", 1 },
    { "f64[4]{1,0.5,1e300,inf}", "", "f64[4]", 0 },
    { "f32[6]{1,1e30,0.5,-2,nan,inf}", "", "f32[6]", 0 },
    { "f32[]{1.3}", "", "f32[]", 1 },
    { "f16[4]{1,1.5,2,6e4}", "", "f16[4]", 0 },
    { "bf16[600]+", "", "bf16[600]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f32[40001]+", "", "f32[40001]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = cases               \
    }

const struct op op_acosh = {
    .name = "Acosh",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(9, "T: floats"), { 0 } },
};

#endif
