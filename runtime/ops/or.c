/* Or, https://onnx.ai/onnx/operators/onnx__Or.html
 *
 *   C = A || B, broadcast        constant in pieces: its gradient is zero */
#define EXPR (a || b)
#include "ops/logical.h"

const struct op op_or = {
    .name = "Or",
    .domain = "",
    .defs = (const struct op_def[]){ LOGICAL_ROWS, { 0 } },
};
