/* Softsign, https://onnx.ai/onnx/operators/onnx__Softsign.html
 *
 *   y = x / (1 + |x|)        dx = dy / (1 + |x|)^2
 *
 * Of infinities it is NaN, as the formula says. */
#define OPERATOR "Softsign"
#define NAME     softsign
#define VALUE    (x / (1 + ABS(x)))
#define DX_OF_X  (dy / ((1 + ABS(x)) * (1 + ABS(x))))
#define WORK     DIVISION
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_softsign = {
    .name = "Softsign",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
