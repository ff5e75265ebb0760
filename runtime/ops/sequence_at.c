/* SequenceAt, https://onnx.ai/onnx/operators/onnx__SequenceAt.html
 *
 * A copy of the tensor at a position, which counts from the end where it is below 0. Its shape is known while planning
 * where the position and the items' shapes are; else only running can tell. The sequence's gradient is zero but at the
 * position. */
#include "ops/rank.h"
#include "ops/sequence.h"
#include "ops/value.h"

enum { SEQUENCE_INPUT, POSITION };

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *position = typed_in(i, POSITION);
    const struct sequence *items = typed_in(i, SEQUENCE_INPUT)->planned;
    struct tensor *y = typed_out(i, 0);

    if (!position_fits(i, POSITION))
        return false;
    if (!y)
        return true;
    *y = (struct tensor){ .dtype = typed_in(i, SEQUENCE_INPUT)->dtype, .rank = UNKNOWN };
    if (items && position->data && sequence_position(items, position) >= 0)
        *y = items->items[sequence_position(items, position)];
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct sequence *x = s->in[SEQUENCE_INPUT]->data;
    const int64_t at = sequence_position(x, s->in[POSITION]);

    if (at < 0)
        return position_error(s, s->in[POSITION], -x->count, x->count - 1);
    return pass_value(s, 0, &x->items[at]);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct value *in[] = { forward_in(b, SEQUENCE_INPUT), forward_in(b, POSITION), upstream(b, 0) }, *placed;

    if (emit_private(emitter_of(b), &sequence_place, NULL, 1, &placed, NULL, 3, in))
        give(b, SEQUENCE_INPUT, placed);
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,3] f64[3] i64[]{-2}", "{ q = SequenceConstruct (x0, x1) y0 = SequenceAt (q, x2) }", "f64[2,3]", 1 },
    { "f32[2] f32[2] i32[]{1}", "{ q = SequenceConstruct (x0, x1) y0 = SequenceAt (q, x2) }", "f32[2]", 0 },
    { 0 },
};

const struct op op_sequence_at = {
    .name = "SequenceAt",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "S input_sequence, I position -> T tensor",
                                       .types = "S: seq(all); T: all; I: i32 i64",
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
