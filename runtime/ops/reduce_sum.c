/* ReduceSum, https://onnx.ai/onnx/operators/onnx__ReduceSum.html
 *
 * The sum over `axes`; of nothing it is 0. The gradient is dL/dY, the same for all that was summed. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_SUM);
}

static bool gradient(struct backward *b)
{
    return reduce_gradient(b, false);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("", 1), { 0 } };
static const struct op_case cases[] = { REDUCE_CASES("", 1), { 0 } };

const struct op op_reduce_sum = {
    .name = "ReduceSum",
    .domain = "",
    .defs =
        (const struct op_def[]){
            REDUCE_ROW(13, "T: floats bf16 i32 i64 u32 u64", reduce_infer, cases),
            REDUCE_ROW_BEFORE(11, "T: floats i32 i64 u32 u64", reduce_infer, before),
            REDUCE_ROW_BEFORE(1, "T: floats i32 i64 u32 u64", reduce_infer, before),
            { 0 },
        },
};
