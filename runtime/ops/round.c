/* Round, https://onnx.ai/onnx/operators/onnx__Round.html
 *
 *   y = the integer that is nearest to x, of two the even one        constant in pieces: its gradient is zero */
#define OPERATOR "Round"
#define NAME     round
#define VALUE    ROUND(x)
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

const struct op op_round = {
    .name = "Round",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROUNDING_ROW(22, "T: floats bf16"),
            ROUNDING_ROW(11, "T: floats"),
            { 0 },
        },
};

#endif
