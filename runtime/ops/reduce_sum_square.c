/* ReduceSumSquare, https://onnx.ai/onnx/operators/onnx__ReduceSumSquare.html
 *
 *   y = the sum of x^2 over `axes`        dx = dy * 2 x
 *
 * Without axes it is the square of each element. Integers wrap around. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_SQUARES);
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *dy = emit(e, "Mul", "", 2, upstream(b, 0), emit_scalar(e, type_in(b, REDUCE_DATA)->dtype, 2));

    give(b, REDUCE_DATA, emit(e, "Mul", "", 2, forward_in(b, REDUCE_DATA), reduce_kept(b, dy)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("", 0), { 0 } };
static const struct op_case cases[] = { REDUCE_CASES("", 0), { 0 } };

const struct op op_reduce_sum_square = {
    .name = "ReduceSumSquare",
    .domain = "",
    .defs = (const struct op_def[]){ REDUCE_ROWS(reduce_infer_mapped, cases, before), { 0 } },
};
