/* GlobalMaxPool, https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html
 *
 * The maximum over all spatial dimensions, which stay as 1. The gradient goes to the elements that equal it, split
 * evenly among ties. */
#include "ops/rank.h"
#include "ops/reduce.h"
#include "ops/rows.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MAX);
}

static bool gradient(struct backward *b)
{
    return reduce_max_gradient(b);
}

/* -- test -- */

static const struct op_case cases[] = { GLOBAL_POOL_CASES("~"), { 0 } };
static const struct op_case newest[] = { GLOBAL_POOL_CASES("~"), { "bf16[2,3,4,5]", "", "bf16[2,3,1,1]", 0 }, { 0 } };

const struct op op_global_max_pool = {
    .name = "GlobalMaxPool",
    .domain = "",
    .defs = (const struct op_def[]){ GLOBAL_POOL_ROW(22, "T: floats bf16", newest),
                                     GLOBAL_POOL_ROW(1, "T: floats", cases),
                                     { 0 } },
};
