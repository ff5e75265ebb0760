/* BitwiseOr, https://onnx.ai/onnx/operators/onnx__BitwiseOr.html
 *
 *   C = A | B, bit by bit, broadcast; integers have no gradient */
#define BODY "ops/binary_body.h"
#define EXPR (a | b)
#include "ops/bitwise.h"

const struct op op_bitwise_or = {
    .name = "BitwiseOr",
    .domain = "",
    .defs = (const struct op_def[]){ BITWISE_ROW, { 0 } },
};
