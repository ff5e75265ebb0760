/* ReduceL1, https://onnx.ai/onnx/operators/onnx__ReduceL1.html
 *
 *   y = the sum of |x| over `axes`        dx = dy * sign(x), 0 at 0
 *
 * Without axes it is the magnitude of each element. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_L1);
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);

    give(b, REDUCE_DATA,
         emit(e, "Mul", "", 2, emit(e, "Sign", "", 1, forward_in(b, REDUCE_DATA)), reduce_kept(b, upstream(b, 0))));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("~", 0), { 0 } };
static const struct op_case cases[] = { REDUCE_CASES("~", 0), { 0 } };

const struct op op_reduce_l1 = {
    .name = "ReduceL1",
    .domain = "",
    .defs = (const struct op_def[]){ REDUCE_ROWS(reduce_infer_mapped, cases, before), { 0 } },
};
