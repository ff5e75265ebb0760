/* And, https://onnx.ai/onnx/operators/onnx__And.html
 *
 *   C = A && B, broadcast        constant in pieces: its gradient is zero */
#define EXPR (a && b)
#include "ops/logical.h"

const struct op op_and = {
    .name = "And",
    .domain = "",
    .defs = (const struct op_def[]){ LOGICAL_ROWS, { 0 } },
};
