/* SequenceMap, https://onnx.ai/onnx/operators/onnx__SequenceMap.html
 *
 * Runs its body for each position of the first sequence: with the items there of all inputs that are sequences, which are
 * as long, and with all others as they are. Each output of the body makes a sequence. Where nothing was run the outputs
 * are of the types that the body tells.
 *
 * The standard also gives it as a Loop that inserts into sequences, which copies them in each iteration; here each result
 * is copied once.
 *
 * The gradient computes the body again for each item, with nodes of its own (grad/items.c): items may have any shapes. */
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

static bool is_tensor(struct infer *i, size_t k, const struct tensor *each)
{
    char text[TYPE_TEXT];

    return each->kind == TENSOR ||
           infer_error(i, "output %zu of the body is %s, must be a tensor", k, tensor_text(each, text));
}

/* Items of several shapes have results of several shapes: types[k], of output k; NULL where these are not known. */
static bool infer_each(struct infer *i, const struct mapping *a, struct tensor *in, struct tensor *out,
                       struct sequence **types)
{
    const int inputs = infer_inputs(i);

    for (int64_t at = 0; at < typed_in(i, 0)->planned->count; at++) {
        for (int k = 0; k < inputs; k++)
            if (typed_in(i, k)->kind == SEQUENCE) {
                in[k] = typed_in(i, k)->planned->items[at];
                in[k].data = NULL;
            }
        if (!infer_graph(i, 0, in, out))
            return false;
        for (size_t k = 0; k < a->body->output_count; k++) {
            if (!is_tensor(i, k, &out[k]))
                return false;
            if (!tensor_known(&out[k]))
                types[k] = NULL;
            else if (types[k])
                types[k]->items[at] = out[k];
        }
    }
    return true;
}

/* Are all items known, of several shapes, and few? */
static bool differ(struct infer *i, const struct tensor *in)
{
    enum { FEW = 256 };
    const int64_t count = typed_in(i, 0)->planned ? typed_in(i, 0)->planned->count : 0;
    bool several = false;

    for (int k = 0; k < infer_inputs(i); k++) {
        const struct sequence *items = typed_in(i, k)->planned;

        if (typed_in(i, k)->kind != SEQUENCE)
            continue;
        if (!items || items->count != count)
            return false;
        several |= !tensor_known(&in[k]);
        for (int64_t j = 0; j < count; j++)
            if (!tensor_known(&items->items[j]))
                return false;
    }
    return several && count <= FEW;
}

/* What is the same for all items, has its shape from planning on. */
static bool infer_outputs_of(struct infer *i, const struct mapping *a, struct tensor *in, struct tensor *each)
{
    const struct sequence *items = typed_in(i, 0)->planned;
    const bool several = differ(i, in);
    struct sequence **types = infer_alloc(i, a->body->output_count * sizeof *types);

    if (!types || !infer_graph(i, 0, in, each))
        return false;
    for (size_t k = 0; k < a->body->output_count; k++) {
        if (!is_tensor(i, k, &each[k]))
            return false;
        if (items && items->count <= MOST_PLANNED && (several || tensor_known(&each[k])) &&
            !(types[k] = sequence_types(i, items->count)))
            return false;
        for (int64_t j = 0; types[k] && j < types[k]->count; j++)
            types[k]->items[j] = each[k];
    }
    if (several && !infer_each(i, a, in, each, types))
        return false;
    for (size_t k = 0; k < a->body->output_count; k++)
        sequence_out(i, (int)k, each[k].dtype, types[k]);
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
    return infer_outputs_of(i, a, in, in + inputs);
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

#define MULTIPLIED                                                                                                     \
    "{ q = SequenceConstruct (x0, x1) p, r = SequenceMap (q, x2) <body = b (double[n] a, double[] c) => (double[n] "   \
    "d, "                                                                                                              \
    "int64[m] e) { d = Mul (a, c) e = Shape (a) }> i = Constant <value_int = 1> () j = Constant <value_int = 0> () "   \
    "k = SequenceAt (p, i) l = SequenceAt (p, j) m = ReduceSum (l) y0 = Mul (k, m) y1 = SequenceAt (r, i) }"
#define SQUARED                                                                                                        \
    "{ q = SequenceConstruct (x0, x0) p = SequenceConstruct (x1, x2) r = SequenceMap (q, p) <body = b (double[n] a, "  \
    "double[m] c) => (double[k] d) { e = Concat <axis = 0> (a, c) f = Mul (e, e) d = Mul (f, x3) }> "                  \
    "y0 = ConcatFromSequence <axis = 0> (r) }"
#define NO_ITEMS                                                                                                       \
    "{ q = SequenceEmpty <dtype = 11> () p = SequenceMap (q, x1) <body = b (double[n] a, double[] c) => (double[n] "   \
    "d) "                                                                                                              \
    "{ d = Mul (a, c) }> s = SequenceInsert (p, x0) z = ConcatFromSequence <axis = 0> (s) w = ReduceSum <keepdims = "  \
    "0> "                                                                                                              \
    "(z) y0 = Add (w, x1) }"

static const struct op_case cases[] = {
    { "f32[2] f32[3] f32[]", ADDED, "f32[3] i64[1]", 0 },
    { "f32[2] f32[3] f32[1] f32[]", CAPTURED, "f32[8]", 0 },
    { "f64[2] f64[3] f64[]", MULTIPLIED, "f64[3] i64[1]", 7 },
    { "f64[2] f64[3] f64[1] f64[]", SQUARED, "f64[8]", 15 },
    { "f64[2] f64[]", NO_ITEMS, "f64[]", 2 },
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
                                       .gradient = gradient_of_items,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
