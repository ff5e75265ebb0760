/* SequenceEmpty, https://onnx.ai/onnx/operators/onnx__SequenceEmpty.html
 *
 * A sequence without items, of tensors of the type `dtype` (float where it is not given). */
#include "ops/rank.h"
#include "ops/sequence.h"

struct empty {
    enum dtype dtype;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    return attr_dtype(p, "dtype", F32, &((struct empty *)attrs)->dtype);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct empty *)n->attrs)->dtype;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct sequence *none = sequence_types(i, 0);

    sequence_out(i, 0, ((const struct empty *)infer_attrs(i))->dtype, none);
    return none;
}

/* -- run -- */

static bool run(struct step *s)
{
    return sequence_new(s, 0, 0);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "", "", "seq(f32)", 0 },
    { "", "dtype=7", "seq(i64)", 0 },
    { "", "dtype=8", "seq(str)", 0 },
    { 0 },
};

const struct op op_sequence_empty = {
    .name = "SequenceEmpty",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "-> S output",
                                       .types = "S: seq(all)",
                                       .attrs_size = sizeof(struct empty),
                                       .parse = parse,
                                       .rank = rank_unknown,
                                       .dtype = told,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
