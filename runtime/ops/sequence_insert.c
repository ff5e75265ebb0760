/* SequenceInsert, https://onnx.ai/onnx/operators/onnx__SequenceInsert.html
 *
 * The sequence with a copy of a tensor at a position in [-n, n], which counts from the end where it is below 0, as those
 * of Python's list.insert do; behind the last of its n items where it is left out. The items themselves are shared.
 *
 * The gradient of the tensor is the item there, that of the sequence are the others. */
#include "ops/rank.h"
#include "ops/sequence.h"
#include <string.h>

enum { SEQUENCE_INPUT, ITEM, POSITION }; /* inputs */

/* -- plan -- */

static int64_t place_in(const struct sequence *items, const struct tensor *position)
{
    return position ? position_in(position, items->count, items->count + 1) : items->count;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, SEQUENCE_INPUT), *item = typed_in(i, ITEM);
    const struct sequence *items = x->planned;
    int64_t at;
    struct sequence *types = NULL;

    if (!position_fits(i, POSITION))
        return false;
    if (item->dtype != x->dtype)
        return infer_error(i, "'tensor' is of type %s, must be %s as those of the sequence", dtype_name(item->dtype),
                           dtype_name(x->dtype));
    at = items && items->count < MOST_PLANNED && position_known(i, POSITION) ? place_in(items, typed_in(i, POSITION))
                                                                             : -1;
    if (at >= 0) {
        if (!(types = sequence_types(i, items->count + 1)))
            return false;
        for (int64_t k = 0; k < types->count; k++)
            types->items[k] = k == at ? *item : items->items[k > at ? k - 1 : k];
        types->items[at].data = NULL;
    }
    sequence_out(i, 0, x->dtype, types);
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct sequence *x = s->in[SEQUENCE_INPUT]->data;
    const int64_t at = place_in(x, s->in[POSITION]);
    struct sequence *y;

    if (at < 0)
        return position_error(s, s->in[POSITION], -x->count, x->count);
    y = sequence_new(s, 0, x->count + 1);
    if (!y)
        return false;
    memcpy(y->items, x->items, (size_t)at * sizeof *y->items);
    memcpy(y->items + at + 1, x->items + at, (size_t)(x->count - at) * sizeof *y->items);
    return heap_copy(s->heap, &y->items[at], s->in[ITEM], s->report);
}

/* -- differentiate -- */

/* The same place among the items of the output, which is one more: below 0 the end is one further away. NULL is the
 * last one. */
static struct value *place_in_output(struct emitter *e, struct value *position)
{
    const int64_t scalar = 1;
    struct value *p;

    if (!position)
        return NULL;
    p = emit(e, "Reshape", "", 2, emit_cast(e, position, I64), emit_ints(e, 0, &scalar));
    return emit(e, "Where", "", 3, emit(e, "Less", "", 2, p, emit_scalar(e, I64, 0)),
                emit(e, "Sub", "", 2, p, emit_scalar(e, I64, 1)), p);
}

static bool gradient(struct backward *b)
{
    static const struct sequence_item last = { -1 };
    struct emitter *e = emitter_of(b);
    struct value *at = place_in_output(e, forward_in(b, POSITION)), *item;

    if (wants(b, SEQUENCE_INPUT))
        give(b, SEQUENCE_INPUT, emit(e, "SequenceErase", "", 2, upstream(b, 0), at));
    if (wants(b, ITEM) && emit_private(e, &sequence_item, &last, 1, &item, NULL, 3,
                                       (struct value *[]){ upstream(b, 0), forward_in(b, ITEM), at }))
        give(b, ITEM, item);
    return backward_ok(b);
}

/* -- test -- */

/* Of three items, [x2, x0, x1], two. */
#define TWO_OF_THREE(position)                                                                                         \
    "{ q = SequenceConstruct (x0, x1) p = SequenceInsert (q, x2" position ") i = Constant <value_int = 0> () "         \
    "j = Constant <value_int = 1> () y0 = SequenceAt (p, i) y1 = SequenceAt (p, j) }"

static const struct op_case cases[] = {
    { "f64[2] f64[3] f64[4] i64[]{0}", TWO_OF_THREE(", x3"), "f64[4] f64[2]", 5 },
    { "f64[2] f64[3] f64[4] i32[1]{-1}", TWO_OF_THREE(", x3"), "f64[2] f64[4]", 5 },
    { "f64[2] f64[3] f64[4] i32[]{2}", TWO_OF_THREE(", x3"), "f64[2] f64[3]", 3 },
    { "f64[2] f64[3] f64[4]", TWO_OF_THREE(""), "f64[2] f64[3]", 3 },
    { "f64[3] f64[3]",
      "{ q = SequenceEmpty <dtype = 11> () p = SequenceInsert (q, x0) r = SequenceInsert (p, x1) i = Constant "
      "<value_int = -1> () y0 = SequenceAt (r, i) }",
      "f64[3]", 2 },
    { "seq(str[2]) str[3] i64[]{-1}", "", "seq(str)", 0 },
    { "seq(f16) f16[0,3] i64[]{0}", "", "seq(f16)", 0 },
    { "seq(c64[2],c64[]) c64[] i32[]{2}", "", "seq(c64)", 0 },
    { 0 },
};

const struct op op_sequence_insert = {
    .name = "SequenceInsert",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "S input_sequence, T tensor, I position? -> S output_sequence",
                                       .types = "S: seq(all); T: all; I: i32 i64",
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
