/* SequenceLength, https://onnx.ai/onnx/operators/onnx__SequenceLength.html
 *
 * How many items a sequence has; planning tells it where it knows them. No gradient flows. */
#include "ops/rank.h"
#include "ops/sequence.h"

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct sequence *items = typed_in(i, 0)->planned;
    int64_t *y;

    if (!set_out(i, 0, I64, 0, NULL))
        return false;
    if (items && (y = known_out(i, 0)))
        *y = items->count;
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    *(int64_t *)s->out[0]->data = ((const struct sequence *)s->in[0]->data)->count;
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,3] f64[3]", "{ q = SequenceConstruct (x0, x1) y0 = SequenceLength (q) }", "i64[]", 0 },
    { "seq(f32[2],f32[3],f32[2])", "", "i64[]", 0 },
    { "seq(str)", "", "i64[]", 0 },
    { 0 },
};

const struct op op_sequence_length = {
    .name = "SequenceLength",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "S input_sequence -> I length",
                                       .types = "S: seq(all); I: i64",
                                       .rank = rank_of_scalar,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
