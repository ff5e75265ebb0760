/* Less, https://onnx.ai/onnx/operators/onnx__Less.html
 *
 *   C = A < B, broadcast        constant in pieces: its gradient is zero */
#include "ops/broadcast.h"
#define NAME less
#define EXPR (a < b)
#include "ops/comparison.h"

const struct op op_less = {
    .name = "Less",
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
