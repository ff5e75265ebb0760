/* SequenceConstruct, https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html
 *
 * A sequence of copies of its inputs, tensors of one type. It lives on the heap of the run.
 */
#include "ops/op.h"

/* -- plan ---------------------------------------------------------------------------------------------------------- */

static bool infer(struct infer *i)
{
    struct tensor *y = typed_out(i, 0);

    if (y)
        *y = (struct tensor){
            .kind = SEQUENCE, .element_kind = TENSOR, .dtype = typed_in(i, 0)->dtype, .rank = UNKNOWN
        };
    return true;
}

/* -- run ----------------------------------------------------------------------------------------------------------- */

static bool run(struct step *s)
{
    const int count = s->node->inputs;
    struct sequence *y = heap_alloc(s->heap, sizeof *y + (size_t)count * sizeof *y->items, s->report);

    if (!y)
        return false;
    y->count = count;
    for (int k = 0; k < count; k++)
        if (!heap_copy(s->heap, &y->items[k], s->in[k], s->report))
            return false;
    s->out[0]->data = y;
    return true;
}

/* -- test ---------------------------------------------------------------------------------------------------------- */

static const struct op_case cases[] = { { 0 } }; /* a sequence cannot be written as text: see tests/ */

const struct op op_sequence_construct = {
    .name = "SequenceConstruct",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "T inputs... -> S output_sequence",
                                       .types = "T: all; S: seq(all)",
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "gradients do not flow through sequences",
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
