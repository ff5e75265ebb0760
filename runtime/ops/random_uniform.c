/* RandomUniform, https://onnx.ai/onnx/operators/onnx__RandomUniform.html
 *
 *   output = low + (high - low) * u, u uniform in [0, 1), in the shape that is an attribute */
#include "ops/random_draw.h"

/* -- test -- */

#define CASES                                                                                                          \
    { "", "shape=[2,3,4] seed=1.0", "f32[2,3,4]", 0 },                                                                 \
        { "", "shape=[5,7] dtype=11 low=-2.0 high=3.0", "f64[5,7]", 0 },                                               \
        { "", "shape=[9000] dtype=10 seed=3.0", "f16[9000]", 0 }, { "", "shape=[5] dtype=11 seed=42.0", "f64[5]", 0 }, \
        { "", "shape=[] dtype=1", "f32[]", 0 }, { "", "shape=[9001]", "f32[9001]", 0 },                                \
    {                                                                                                                  \
        "", "shape=[0,3]", "f32[0,3]", 0                                                                               \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES,
                                           { "", "shape=[600] dtype=16", "bf16[600]", 0 },
                                           { "", "shape=[6] dtype=16 seed=5.0 low=1.0", "bf16[6]", 0 },
                                           { 0 } };

const struct op op_random_uniform = {
    .name = "RandomUniform",
    .domain = "",
    .defs = (const struct op_def[]){ DRAW_ROW(22, "floats bf16", draw_parse_uniform, cases_22),
                                     DRAW_ROW(1, "floats", draw_parse_uniform, cases),
                                     { 0 } },
};
