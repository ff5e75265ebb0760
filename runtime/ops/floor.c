/* Floor, https://onnx.ai/onnx/operators/onnx__Floor.html
 *
 *   y = the greatest integer that is not above x        constant in pieces: its gradient is zero */
#define OPERATOR "Floor"
#define NAME     floor
#define VALUE    FLOOR(x)
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

const struct op op_floor = {
    .name = "Floor",
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
