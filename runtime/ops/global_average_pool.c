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

static const struct op_case cases[] = { GLOBAL_POOL_CASES(""), { 0 } };
static const struct op_case newest[] = { GLOBAL_POOL_CASES(""), { "bf16[2,3,4,5]", "", "bf16[2,3,1,1]", 0 }, { 0 } };

const struct op op_global_average_pool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .defs = (const struct op_def[]){ GLOBAL_POOL_ROW(22, "T: floats bf16", newest),
                                     GLOBAL_POOL_ROW(1, "T: floats", cases),
                                     { 0 } },
};
