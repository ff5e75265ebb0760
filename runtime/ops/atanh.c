/* Atanh, https://onnx.ai/onnx/operators/onnx__Atanh.html
 *
 *   y = atanh(x)        dx = dy / (1 - x^2)
 *
 * Infinite at 1 and -1, NaN beyond. 1 - x^2 as (1 - x) (1 + x) keeps its digits next to 1. */
#define OPERATOR   "Atanh"
#define NAME       atanh
#define VALUE      ATANH(x)
#define DX_OF_X    (dy / ((1 - x) * (1 + x)))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Reciprocal", slope_unit_less_square(s));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS,                              \
        .cases = unary_cases_within_1                                                                                  \
    }

const struct op op_atanh = {
    .name = "Atanh",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(9, "T: floats"), { 0 } },
};

#endif
