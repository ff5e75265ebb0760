/* Xor, https://onnx.ai/onnx/operators/onnx__Xor.html
 *
 *   C = A != B, broadcast        constant in pieces: its gradient is zero */
#define EXPR (!a != !b)
#include "ops/logical.h"

const struct op op_xor = {
    .name = "Xor",
    .domain = "",
    .defs = (const struct op_def[]){ LOGICAL_ROWS, { 0 } },
};
