/* Ceil, https://onnx.ai/onnx/operators/onnx__Ceil.html
 *
 *   y = the least integer that is not below x        constant in pieces: its gradient is zero */
#define OPERATOR "Ceil"
#define NAME     ceil
#define VALUE    CEIL(x)
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

const struct op op_ceil = {
    .name = "Ceil",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROUNDING_ROW(13, "T: floats bf16"),
            ROUNDING_ROW(6, "T: floats"),
            ROUNDING_ROW_1,
            { 0 },
        },
};

#endif
