/* Acos, https://onnx.ai/onnx/operators/onnx__Acos.html
 *
 *   y = acos(x)        dx = -dy / sqrt(1 - x^2)
 *
 * NaN outside [-1, 1]. 1 - x^2 as (1 - x) (1 + x) keeps its digits next to 1. */
#define OPERATOR   "Acos"
#define NAME       acos
#define VALUE      ACOS(x)
#define DX_OF_X    (-dy / SQRT((1 - x) * (1 + x)))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Neg", slope_1(s, "Reciprocal", slope_1(s, "Sqrt", slope_unit_less_square(s))));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS,                              \
        .cases = unary_cases_within_1                                                                                  \
    }

const struct op op_acos = {
    .name = "Acos",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(7, "T: floats"), { 0 } },
};

#endif
