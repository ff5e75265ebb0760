/* Asinh, https://onnx.ai/onnx/operators/onnx__Asinh.html
 *
 *   y = asinh(x)        dx = dy / sqrt(x^2 + 1) */
#define OPERATOR "Asinh"
#define NAME     asinh
#define VALUE    ASINH(x)
#define DX_OF_X  (dy / SQRT(x * x + 1))
#define WORK     EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

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
