/* Sign, https://onnx.ai/onnx/operators/onnx__Sign.html
 *
 *   y = 1 where x > 0, -1 where x < 0, else 0        constant in pieces: its gradient is zero
 *
 * NaN stays NaN. */
#define OPERATOR "Sign"
#define NAME     sign
#define VALUE    (x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x)
#define INTEGER  ((x > zero) - (x < zero))
#define INTS
#define UINTS
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 0 },
    { "f64[4]{-inf,-0.0,nan,3}", "", "f64[4]", 0 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "i8[3]{-128,0,127}", "", "i8[3]", 0 },
    { "i16[7]", "", "i16[7]", 0 },
    { "i32[7]", "", "i32[7]", 0 },
    { "i64[7]", "", "i64[7]", 0 },
    { "u8[7]", "", "u8[7]", 0 },
    { "u16[7]", "", "u16[7]", 0 },
    { "u32[7]", "", "u32[7]", 0 },
    { "u64[7]", "", "u64[7]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS_FLAT, .cases = cases          \
    }

const struct op op_sign = {
    .name = "Sign",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "T: floats bf16 ints uints"), ROW(9, "T: floats ints uints"), { 0 } },
};

#endif
