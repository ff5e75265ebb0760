/* Greater, https://onnx.ai/onnx/operators/onnx__Greater.html
 *
 *   C = A > B, broadcast        constant in pieces: its gradient is zero */
#include "ops/broadcast.h"
#define NAME greater
#define EXPR (a > b)
#include "ops/comparison.h"

const struct op op_greater = {
    .name = "Greater",
    .domain = "",
    .defs =
        (const struct op_def[]){
            COMPARISON_ROW(13, "T: floats bf16 ints uints", comparison_cases),
            COMPARISON_ROW(9, "T: floats ints uints", comparison_cases),
            COMPARISON_ROW(7, "T: floats", comparison_cases),
            BROADCAST_ROW(1, "T A, T B -> T1 C", "T: floats; T1: bool", comparison_cases_1),
            { 0 },
        },
};
