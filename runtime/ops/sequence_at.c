/* SequenceAt, https://onnx.ai/onnx/operators/onnx__SequenceAt.html
 *
 * A copy of the tensor at a position, which counts from the end where it is below 0. Only running can tell its shape.
 */
#include "ops/value.h"

enum { SEQUENCE_INPUT, POSITION };

/* -- plan ---------------------------------------------------------------------------------------------------------- */

static bool infer(struct infer *i)
{
    const struct tensor *position = typed_in(i, POSITION);
    struct tensor *y = typed_out(i, 0);

    if (tensor_count(position) != 1)
        return infer_error(i, "'position' has %lld values, must have 1", (long long)tensor_count(position));
    if (y)
        *y = (struct tensor){ .dtype = typed_in(i, SEQUENCE_INPUT)->dtype, .rank = UNKNOWN };
    return true;
}

/* -- run ----------------------------------------------------------------------------------------------------------- */

static bool run(struct step *s)
{
    const struct sequence *x = s->in[SEQUENCE_INPUT]->data;
    const struct tensor *p = s->in[POSITION];
    const int64_t at = p->dtype == I64 ? *(const int64_t *)p->data : *(const int32_t *)p->data;

    if (at < -x->count || at >= x->count)
        return step_error(s, "'position' is %lld, must be in [%lld, %lld]", (long long)at, (long long)-x->count,
                          (long long)(x->count - 1));
    return pass_value(s, 0, &x->items[at < 0 ? at + x->count : at]);
}

/* -- test ---------------------------------------------------------------------------------------------------------- */

static const struct op_case cases[] = { { 0 } }; /* a sequence cannot be written as text: see tests/ */

const struct op op_sequence_at = {
    .name = "SequenceAt",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "S input_sequence, I position -> T tensor",
                                       .types = "S: seq(all); T: all; I: i32 i64",
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "gradients do not flow through sequences",
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
