/* SequenceConstruct, https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html
 *
 * A sequence of copies of its inputs, tensors of one type. It lives on the heap of the run. The gradient of an input is
 * its item of the sequence's. */
#include "ops/rank.h"
#include "ops/sequence.h"

/* -- plan -- */

static bool infer(struct infer *i)
{
    struct sequence *types = sequence_types(i, infer_inputs(i));

    for (int k = 0; types && k < infer_inputs(i); k++) {
        types->items[k] = *typed_in(i, k);
        types->items[k].data = NULL;
    }
    sequence_out(i, 0, typed_in(i, 0)->dtype, types);
    return types;
}

/* -- run -- */

static bool run(struct step *s)
{
    const int count = s->node->inputs;
    struct sequence *y = sequence_new(s, 0, count);

    for (int k = 0; y && k < count; k++)
        if (!heap_copy(s->heap, &y->items[k], s->in[k], s->report))
            return false;
    return y;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    for (int k = 0; k < node_of(b)->inputs; k++) {
        struct value *in[] = { upstream(b, 0), forward_in(b, k) }, *item;
        struct sequence_item *a = wants(b, k) ? emit_alloc(emitter_of(b), sizeof *a) : NULL;

        if (!a)
            continue;
        a->at = k;
        if (emit_private(emitter_of(b), &sequence_item, a, 1, &item, NULL, 2, in))
            give(b, k, item);
    }
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,3] f64[3]", "{ q = SequenceConstruct (x0, x1) i = Constant <value_int = 1> () y0 = SequenceAt (q, i) }",
      "f64[3]", 2 },
    { 0 },
};

const struct op op_sequence_construct = {
    .name = "SequenceConstruct",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "T inputs... -> S output_sequence",
                                       .types = "T: all; S: seq(all)",
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
