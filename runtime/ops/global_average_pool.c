/* GlobalAveragePool, https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html
 *
 * The mean over all spatial dimensions, which stay as 1. The gradient is dL/dY divided by how many elements they
 * have. */
#include "ops/rank.h"
#include "ops/reduce.h"
#include "ops/rows.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MEAN);
}

static bool gradient(struct backward *b)
{
    return reduce_gradient(b, true);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,3,4,5]", "", "f64[2,3,1,1]", 1 }, { "f32[1,3,7]", "", "f32[1,3,1]", 1 },                                  \
        { "f64[2,2,2,3,2]", "", "f64[2,2,1,1,1]", 1 }, { "f32[0,3,4,5]", "", "f32[0,3,1,1]", 0 },                      \
    {                                                                                                                  \
        "f16[2,3,4,5]", "", "f16[2,3,1,1]", 0                                                                          \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case newest[] = { CASES, { "bf16[2,3,4,5]", "", "bf16[2,3,1,1]", 0 }, { 0 } };

#define ROW(version, type_list, case_list)                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = type_list, .attrs_size = sizeof(struct reduce_attrs),    \
        .parse = reduce_parse_global, .rank = rank_of_input, .infer = reduce_infer, .run = run, .gradient = gradient,  \
        .channels_last = reduce_channels_last, .batch_independent = rows_of_first, .cases = case_list                  \
    }

const struct op op_global_average_pool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16", newest), ROW(1, "T: floats", cases), { 0 } },
};
