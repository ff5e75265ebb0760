/* Atan, https://onnx.ai/onnx/operators/onnx__Atan.html
 *
 *   y = atan(x)        dx = dy / (1 + x^2) */
#define OPERATOR   "Atan"
#define NAME       atan
#define VALUE      ATAN(x)
#define DX_OF_X    (dy / (1 + x * x))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Reciprocal", slope_square_and_unit(s));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_atan = {
    .name = "Atan",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(7, "T: floats"), { 0 } },
};

#endif
