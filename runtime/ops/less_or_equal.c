/* LessOrEqual, https://onnx.ai/onnx/operators/onnx__LessOrEqual.html
 *
 *   C = A <= B, broadcast        constant in pieces: its gradient is zero
 *
 * Nothing compares with NaN: false. */
#include "ops/elementwise.h"
#define NAME less_or_equal
#define EXPR (a <= b)
#include "ops/comparison.h"

const struct op op_less_or_equal = {
    .name = "LessOrEqual",
    .domain = "",
    .defs =
        (const struct op_def[]){
            COMPARISON_ROW(16, "T: floats bf16 ints uints", comparison_cases),
            COMPARISON_ROW(12, "T: floats ints uints", comparison_cases),
            { 0 },
        },
};
