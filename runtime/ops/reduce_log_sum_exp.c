/* ReduceLogSumExp, https://onnx.ai/onnx/operators/onnx__ReduceLogSumExp.html
 *
 *   y = the logarithm of the sum of exp(x) over `axes`        dx = dy * exp(x - y)
 *
 * Computed as m + log(sum of exp(x - m)), m being the greatest x, so that nothing overflows; of nothing it is -infinity.
 * Without axes it is x. Integers are computed in double, and the result is truncated. */
#include "ops/compute.h"
#include "ops/reduce.h"

static enum dtype computed_in(const struct tensor *x)
{
    return dtype_is_float(x->dtype) ? dtype_compute(x->dtype) : F64;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, REDUCE_DATA);

    if (!reduce_infer(i))
        return false;
    need_scratch(i, compute_bytes(x, computed_in(x)) + compute_bytes(typed_out(i, 0), computed_in(x)));
    return true;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[REDUCE_DATA];
    const struct reduce_shape shape = reduce_shape_in(s);
    const enum dtype compute = computed_in(x);
    char *scratch = s->scratch;
    const void *values = compute_in(x, compute, &scratch);
    void *y = compute_out(s->out[0], compute, &scratch);

    reduce_log_sum_exp(s->pool, &shape, compute, values, y);
    compute_store(s->out[0], compute, y);
    return true;
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *below = emit(e, "Sub", "", 2, forward_in(b, REDUCE_DATA), reduce_kept(b, forward_out(b, 0)));

    give(b, REDUCE_DATA, emit(e, "Mul", "", 2, emit(e, "Exp", "", 1, below), reduce_kept(b, upstream(b, 0))));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case before[] = {
    REDUCE_CASES_BEFORE("", 0),
    { "f64[2,3]{1000,1001,999,-1000,-1000,-1000}", "axes=[1]", "f64[2,1]", 1 },
    { "f64[2,2]{-inf,-inf,inf,0}", "axes=[1] keepdims=0", "f64[2]", 0 },
    { 0 },
};
static const struct op_case cases[] = { REDUCE_CASES("", 0), { 0 } };
static const struct op_case cases_28[] = { REDUCE_CASES_OF_FLOATS("", 0), { 0 } };

const struct op op_reduce_log_sum_exp = {
    .name = "ReduceLogSumExp",
    .domain = "",
    .defs = (const struct op_def[]){ REDUCE_ROWS_OF_FLOATS(infer, cases_28, cases, before), { 0 } },
};
