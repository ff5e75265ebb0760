/* ReduceLogSum, https://onnx.ai/onnx/operators/onnx__ReduceLogSum.html
 *
 *   y = the logarithm of the sum of x over `axes`        dx = dy / sum = dy / exp(y)
 *
 * Without axes it is the logarithm of each element. That of integers, which are no longer taken since 28, is truncated, and the least value
 * where the sum has none. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_LOG_SUM);
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);

    reduce_give(b, emit(e, "Div", "", 2, upstream(b, 0), emit(e, "Exp", "", 1, forward_out(b, 0))));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("+", 0), { 0 } };
static const struct op_case cases[] = { REDUCE_CASES("+", 0), { 0 } };
static const struct op_case cases_28[] = { REDUCE_CASES_OF_FLOATS("+", 0), { 0 } };

const struct op op_reduce_log_sum = {
    .name = "ReduceLogSum",
    .domain = "",
    .defs = (const struct op_def[]){ REDUCE_ROWS_OF_FLOATS(reduce_infer_mapped, cases_28, cases, before), { 0 } },
};
