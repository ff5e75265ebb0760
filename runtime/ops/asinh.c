/* Asinh, https://onnx.ai/onnx/operators/onnx__Asinh.html
 *
 *   y = asinh(x)        dx = dy / sqrt(x^2 + 1) */
#define OPERATOR   "Asinh"
#define NAME       asinh
#define VALUE      ASINH(x)
#define DX_OF_X    (dy / SQRT(x * x + 1))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Reciprocal", slope_1(s, "Sqrt", slope_square_and_unit(s)));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_asinh = {
    .name = "Asinh",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(9, "T: floats"), { 0 } },
};

#endif
