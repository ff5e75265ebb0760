/* ReduceL2, https://onnx.ai/onnx/operators/onnx__ReduceL2.html
 *
 *   y = the root of the sum of x^2 over `axes`        dx = dy * x / y
 *
 * Without axes it is the magnitude of each element. Where y is 0 so is the gradient: there is none, and NaN would spread
 * from one row of zeros over all weights. That of integers is truncated. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_L2);
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *y = forward_out(b, 0), *zero = emit_scalar(e, type_in(b, REDUCE_DATA)->dtype, 0);
    struct value *per_norm =
        emit(e, "Where", "", 3, emit(e, "Equal", "", 2, y, zero), zero, emit(e, "Div", "", 2, upstream(b, 0), y));

    give(b, REDUCE_DATA, emit(e, "Mul", "", 2, forward_in(b, REDUCE_DATA), reduce_kept(b, per_norm)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("~", 0),
                                         { "f64[2,2]{0,0,3,4}", "axes=[1]", "f64[2,1]", 1 },
                                         { 0 } };
static const struct op_case cases[] = { REDUCE_CASES("~", 0), { 0 } };

const struct op op_reduce_l2 = {
    .name = "ReduceL2",
    .domain = "",
    .defs = (const struct op_def[]){ REDUCE_ROWS(reduce_infer_mapped, cases, before), { 0 } },
};
