/* SequenceMap, https://onnx.ai/onnx/operators/onnx__SequenceMap.html
 *
 * Runs its body for each position of the first sequence: with the items there of all inputs that are sequences, which are
 * as long, and with all others as they are. Each output of the body makes a sequence. Where nothing was run the outputs
 * are of the types that the body tells.
 *
 * The standard also gives it as a Loop that inserts into sequences, which copies them in each iteration; here each result
 * is copied once. */
#include "ops/rank.h"
#include "ops/sequence.h"
#include "ops/value.h"

struct mapping {
    const struct graph *body;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const int inputs = parse_node(p)->inputs;
    struct mapping *a = attrs;

    if (attr_graph(p, "body") < 0)
        return false;
    a->body = attr_any(p, "body")->graph;
    if (a->body->input_count != (size_t)inputs)
        return parse_error(p, "body has %zu inputs, must have %d as the node", a->body->input_count, inputs);
    return a->body->output_count == (size_t)outputs_written(p) ||
           parse_error(p, "body has %zu outputs, must have %d as the node", a->body->output_count, outputs_written(p));
}

/* -- plan -- */

/* What all items of a sequence are. */
static struct tensor any_item(const struct tensor *sequence)
{
    const struct sequence *items = sequence->planned;
    struct tensor any = element_of(sequence);

    for (int64_t k = 0; items && k < items->count; k++)
        if (!k)
            any = items->items[0];
        else
            join_types(&any, &items->items[k]);
    return any;
}

/* What is the same for all items, has its shape from planning on. */
static bool infer_outputs_of(struct infer *i, const struct mapping *a, const struct sequence *items,
                             const struct tensor *each)
{
    for (size_t k = 0; k < a->body->output_count; k++) {
        struct sequence *types = NULL;
        char text[TYPE_TEXT];

        if (each[k].kind != TENSOR)
            return infer_error(i, "output %zu of the body is %s, must be a tensor", k, tensor_text(&each[k], text));
        if (items && items->count <= MOST_PLANNED && tensor_known(&each[k]) &&
            !(types = sequence_types(i, items->count)))
            return false;
        for (int64_t j = 0; types && j < types->count; j++)
            types->items[j] = each[k];
        sequence_out(i, (int)k, each[k].dtype, types);
    }
    return true;
}

static bool infer(struct infer *i)
{
    const struct mapping *a = infer_attrs(i);
    const int inputs = infer_inputs(i);
    const size_t outputs = a->body->output_count;
    struct tensor *in = infer_alloc(i, ((size_t)inputs + outputs) * sizeof *in);

    if (!in)
        return false;
    for (int k = 0; k < inputs; k++) {
        in[k] = typed_in(i, k)->kind == SEQUENCE ? any_item(typed_in(i, k)) : *typed_in(i, k);
        if (typed_in(i, k)->kind == SEQUENCE)
            in[k].data = NULL;
    }
    need_scratch(i, ((size_t)inputs + outputs) * sizeof(struct tensor) + (size_t)inputs * sizeof(struct tensor *));
    return infer_graph(i, 0, in, in + inputs) && infer_outputs_of(i, a, typed_in(i, 0)->planned, in + inputs);
}

/* -- run -- */

static bool check_lengths(struct step *s, int64_t count)
{
    for (int k = 1; k < s->node->inputs; k++) {
        const struct sequence *x = s->in[k]->kind == SEQUENCE ? s->in[k]->data : NULL;

        if (x && x->count != count)
            return step_error(s, "input %d has %lld items, must have %lld as input 0", k, (long long)x->count,
                              (long long)count);
    }
    return true;
}

/* Runs the body for the items at a position; its results are copied to there. */
static bool map_one(struct step *s, int64_t at, const struct tensor **in, struct tensor *results)
{
    for (int k = 0; k < s->node->inputs; k++)
        in[k] = s->in[k]->kind == SEQUENCE ? &((const struct sequence *)s->in[k]->data)->items[at] : s->in[k];
    if (!step_call(s, 0, in, results))
        return false;
    for (int k = 0; k < s->node->slots; k++) {
        const struct tensor *y = s->out[k];
        char text[TYPE_TEXT];

        if (!y)
            continue;
        if (results[k].kind != TENSOR || results[k].dtype != y->dtype)
            return step_error(s, "output %d of the body is %s, must be a tensor of type %s", k,
                              tensor_text(&results[k], text), dtype_name(y->dtype));
        if (!heap_copy(s->heap, &((struct sequence *)y->data)->items[at], &results[k], s->report))
            return false;
    }
    return true;
}

static bool run(struct step *s)
{
    const int64_t count = ((const struct sequence *)s->in[0]->data)->count;
    const struct tensor **in = s->scratch;
    struct tensor *results = (void *)(in + s->node->inputs);

    if (!check_lengths(s, count))
        return false;
    for (int k = 0; k < s->node->slots; k++)
        if (s->out[k] && !sequence_new(s, k, count))
            return false;
    for (int64_t at = 0; at < count; at++)
        if (!map_one(s, at, in, results))
            return false;
    return true;
}

/* -- test -- */

#define ADDED                                                                                                          \
    "{ q = SequenceConstruct (x0, x1) p, r = SequenceMap (q, x2) <body = b (float[n] a, float[] c) => (float[n] d, "   \
    "int64[m] e) { d = Add (a, c) e = Shape (a) }> i = Constant <value_int = 1> () y0 = SequenceAt (p, i) "            \
    "y1 = SequenceAt (r, i) }"
#define CAPTURED                                                                                                       \
    "{ q = SequenceConstruct (x0, x0) p = SequenceConstruct (x1, x2) r = SequenceMap (q, p) <body = b (float[n] a, "   \
    "float[m] c) => (float[k] d) { e = Concat <axis = 0> (a, c) d = Mul (e, x3) }> y0 = ConcatFromSequence <axis = "   \
    "0> "                                                                                                              \
    "(r) }"
#define NOTHING                                                                                                        \
    "{ q = SequenceEmpty () p = SequenceMap (q) <body = b (float[n] a) => (bool[n] d) { d = Less (a, x0) }> "          \
    "y0 = SequenceLength (p) }"

static const struct op_case cases[] = {
    { "f32[2] f32[3] f32[]", ADDED, "f32[3] i64[1]", 0 },
    { "f32[2] f32[3] f32[1] f32[]", CAPTURED, "f32[8]", 0 },
    { "f32[]", NOTHING, "i64[]", 0 },
    { 0 },
};

const struct op op_sequence_map = {
    .name = "SequenceMap",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 17,
                                       .signature = "S input_sequence, V additional_inputs* -> S out_sequence*",
                                       .types = "S: seq(all); V: all seq(all)",
                                       .attrs_size = sizeof(struct mapping),
                                       .parse = parse,
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "what its body gives is not kept for a way back",
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
