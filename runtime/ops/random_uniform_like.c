/* RandomUniformLike, https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html
 *
 *   output = low + (high - low) * u, u uniform in [0, 1), in the shape of the input
 *
 * It does not depend on the input: the gradient is zero. */
#include "ops/random_draw.h"

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "dtype=1 seed=1.0", "f32[2,3,4]", 0 },
    { "f64[5,7]", "seed=42.0 low=-2.0 high=3.0", "f64[5,7]", 0 },
    { "f64[5,7]", "", "f64[5,7]", 0 },
    { "f16[600]", "low=-1.0", "f16[600]", 0 },
    { "i64[5]", "dtype=1 high=10.0", "f32[5]", 0 },
    { "str[5]", "dtype=11 seed=3.0", "f64[5]", 0 },
    { "f32[9000]", "dtype=10 seed=3.0", "f16[9000]", 0 },
    { "bool[0,3]", "dtype=1", "f32[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_22[] = {
    { "bf16[5,7]", "dtype=16 seed=42.0 low=-2.0 high=3.0", "bf16[5,7]", 0 },
    { "bf16[6]", "", "bf16[6]", 0 },
    { "u8[600]", "dtype=16", "bf16[600]", 0 },
    { "c64[6]", "dtype=1", "f32[6]", 0 },
    { 0 },
};

const struct op op_random_uniform_like = {
    .name = "RandomUniformLike",
    .domain = "",
    .defs =
        (const struct op_def[]){
            DRAW_LIKE_ROW(22, "T1: all bf16; T2: floats bf16", draw_parse_uniform_like, cases_22),
            DRAW_LIKE_ROW(1, "T1: all; T2: floats", draw_parse_uniform_like, cases),
            { 0 },
        },
};
