/* SequenceErase, https://onnx.ai/onnx/operators/onnx__SequenceErase.html
 *
 * The sequence without the item at a position in [-n, n - 1], which counts from the end where it is below 0; without the
 * last one where it is left out. The other items are shared. The gradient of what is left out is zero. */
#include "ops/rank.h"
#include "ops/sequence.h"
#include <string.h>

enum { SEQUENCE_INPUT, POSITION }; /* inputs */

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, SEQUENCE_INPUT);
    const struct sequence *items = x->planned;
    struct sequence *types = NULL;
    int64_t at = -1;

    if (!position_fits(i, POSITION))
        return false;
    if (items && position_known(i, POSITION))
        at = sequence_position(items, typed_in(i, POSITION));
    if (at >= 0) {
        if (!(types = sequence_types(i, items->count - 1)))
            return false;
        for (int64_t k = 0; k < types->count; k++)
            types->items[k] = items->items[k < at ? k : k + 1];
    }
    sequence_out(i, 0, x->dtype, types);
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct sequence *x = s->in[SEQUENCE_INPUT]->data;
    const int64_t at = sequence_position(x, s->in[POSITION]);
    struct sequence *y;

    if (at < 0)
        return position_error(s, s->in[POSITION], -x->count, x->count - 1);
    y = sequence_new(s, 0, x->count - 1);
    if (!y)
        return false;
    memcpy(y->items, x->items, (size_t)at * sizeof *y->items);
    memcpy(y->items + at, x->items + at + 1, (size_t)(y->count - at) * sizeof *y->items);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct value *in[] = { forward_in(b, SEQUENCE_INPUT), forward_in(b, POSITION), upstream(b, 0) }, *whole;

    if (emit_private(emitter_of(b), &sequence_gap, NULL, 1, &whole, NULL, 3, in))
        give(b, SEQUENCE_INPUT, whole);
    return backward_ok(b);
}

/* -- test -- */

#define LAST_LEFT(position)                                                                                            \
    "{ q = SequenceConstruct (x0, x1, x2) p = SequenceErase (q" position ") i = Constant <value_int = -1> () "         \
    "y0 = SequenceAt (p, i) }"

static const struct op_case cases[] = {
    { "f64[2] f64[3] f64[4]", LAST_LEFT(""), "f64[3]", 7 },
    { "f64[2] f64[3] f64[4] i64[]{-1}", LAST_LEFT(", x3"), "f64[3]", 7 },
    { "f64[2] f64[3] f64[4] i32[1]{0}", LAST_LEFT(", x3"), "f64[4]", 7 },
    { "seq(str[2],str[3]) i64[]{0}", "", "seq(str)", 0 },
    { "seq(bool[2])", "", "seq(bool)", 0 },
    { 0 },
};

const struct op op_sequence_erase = {
    .name = "SequenceErase",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "S input_sequence, I position? -> S output_sequence",
                                       .types = "S: seq(all); I: i32 i64",
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
