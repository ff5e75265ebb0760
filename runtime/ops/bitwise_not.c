/* BitwiseNot, https://onnx.ai/onnx/operators/onnx__BitwiseNot.html
 *
 *   Y = ~X, bit by bit; integers have no gradient */
#define BODY "ops/unary_body.h"
#define EXPR ~x
#include "ops/bitwise.h"

/* -- test -- */

static const struct op_case cases[] = {
    { "i8[4]{-128,-1,0,127}", "", "i8[4]", 0 }, { "u8[3]{0,200,255}", "", "u8[3]", 0 }, { "i16[7]", "", "i16[7]", 0 },
    { "u16[600]", "", "u16[600]", 0 },          { "i32[2,3]", "", "i32[2,3]", 0 },      { "u32[]", "", "u32[]", 0 },
    { "i64[0,3]", "", "i64[0,3]", 0 },          { "u64[7]", "", "u64[7]", 0 },          { 0 },
};

const struct op op_bitwise_not = {
    .name = "BitwiseNot",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .signature = "T X -> T Y", BITWISE_PARTS, .infer = unary_infer, .cases = cases },
            { 0 },
        },
};
