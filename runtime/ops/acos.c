/* Acos, https://onnx.ai/onnx/operators/onnx__Acos.html
 *
 *   y = acos(x)        dx = -dy / sqrt(1 - x^2)
 *
 * NaN outside [-1, 1]. 1 - x^2 as (1 - x) (1 + x) keeps its digits next to 1. */
#define OPERATOR "Acos"
#define NAME     acos
#define VALUE    ACOS(x)
#define DX_OF_X  (-dy / SQRT((1 - x) * (1 + x)))
#define WORK     EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

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
