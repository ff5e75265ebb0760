/* Atan, https://onnx.ai/onnx/operators/onnx__Atan.html
 *
 *   y = atan(x)        dx = dy / (1 + x^2) */
#define OPERATOR "Atan"
#define NAME     atan
#define VALUE    ATAN(x)
#define DX_OF_X  (dy / (1 + x * x))
#define WORK     EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

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
