/* Gradient, of ai.onnx.preview.training, https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html
 *
 * The gradient of the tensor named y by those named xs, where they, and those named zs, have the values that the inputs
 * have; of a y of several elements that of their sum. The part of the graph between them is the node's subgraph. What that
 * reads from elsewhere stays what it is. Dropout and BatchNormalization are in it as in inference.
 *
 * The gradient depends on shapes, so that its graph is made when these are known (grad_of_node): where it is run, or, to be
 * differentiated itself or trained through, in place of the node. */
#include "ops/rank.h"
#include "ops/value.h"
#include <string.h>

enum { MAX_ORDER = 8 }; /* of gradients of gradients, whose nodes multiply */

struct gradient {
    int order; /* 1: nothing that it differentiates is a Gradient */
};

/* -- read -- */

struct names {
    int64_t xs, count;
    struct value **of;
};

static bool read_names(struct parse *p, struct names *to, const char *name)
{
    const struct attr *list = attr_list(p, name, ATTR_STRINGS);

    for (size_t k = 0; list && k < list->count; k++) {
        char *text = parse_alloc(p, list->strings[k].length + 1);
        struct value *v;

        if (!text)
            return false;
        if (list->strings[k].length)
            memcpy(text, list->strings[k].data, list->strings[k].length);
        v = parse_named(p, text);
        if (!v)
            return false;
        for (int64_t j = 0; j < to->count; j++)
            if (to->of[j] == v)
                return parse_error(p, "tensor '%s' is named twice", text);
        to->of[to->count++] = v;
    }
    return true;
}

static int order_of(const struct graph *part)
{
    int order = 0;

    for (size_t k = 0; k < part->node_count; k++)
        if (part->nodes[k]->def->flags & OP_DIFFERENTIATES) {
            const struct gradient *a = part->nodes[k]->attrs;

            order = a->order > order ? a->order : order;
        }
    return order + 1;
}

static bool read_part(struct parse *p, struct gradient *a, const struct names *names, struct value *y)
{
    const struct node *n = parse_node(p);
    bool *reaches = parse_alloc(p, (size_t)names->count * sizeof *reaches);
    struct graph *part =
        reaches ? graph_part(n->graph, (size_t)n->id, (size_t)names->count, names->of, y, reaches) : NULL;

    if (parse_add_graph(p, part) < 0)
        return false;
    for (int64_t k = 0; k < names->xs; k++)
        if (!reaches[k])
            return parse_error(p, "'%s' does not depend on '%s'", y->name, names->of[k]->name);
    a->order = order_of(part);
    return a->order <= MAX_ORDER ||
           parse_unsupported(p, "it is a gradient of order %d, at most %d are supported", a->order, (int)MAX_ORDER);
}

static bool parse(struct parse *p, void *attrs)
{
    struct names names = { 0 };
    const int inputs = inputs_written(p);
    struct value *y;
    const char *name;

    names.of = parse_alloc(p, (size_t)inputs * sizeof *names.of);
    name = attr_string(p, "y", NULL);
    for (int k = 0; k < 2; k++) {
        const struct attr *list = attr_list(p, k ? "zs" : "xs", ATTR_STRINGS);

        names.xs += list ? (int64_t)list->count : 0;
    }
    if (names.xs != inputs)
        return parse_error(p, "%d inputs, must have %lld, as many as 'xs' and 'zs' name", inputs, (long long)names.xs);
    if (!name || !names.of)
        return parse_error(p, "attribute 'y' is missing");
    for (int k = 0; k < inputs; k++)
        if (!input_given(p, k))
            return parse_error(p, "input %d is left out", k);
    if (!read_names(p, &names, "xs"))
        return false;
    names.xs = names.count;
    if (outputs_written(p) > names.xs)
        return parse_error(p, "%d outputs, 'xs' names %lld", outputs_written(p), (long long)names.xs);
    y = read_names(p, &names, "zs") ? parse_named(p, name) : NULL;
    return y && read_part(p, attrs, &names, y);
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    return known_input(n, k).rank;
}

static enum dtype dtype(const struct node *n, int k)
{
    return known_input(n, k).dtype;
}

static bool infer(struct infer *i)
{
    for (int k = 0; k < infer_outputs(i); k++) {
        const struct tensor *x = typed_in(i, k);
        char text[TYPE_TEXT];

        if (!typed_out(i, k))
            continue;
        if (x->kind != TENSOR || (x->dtype != F32 && x->dtype != F64 && x->dtype != F16))
            return infer_error(i, "input %d is %s, must be float to have a gradient", k, tensor_text(x, text));
        if (!set_out(i, k, x->dtype, x->rank, x->dims))
            return false;
    }
    need_scratch(i, (size_t)infer_outputs(i) * sizeof(struct tensor));
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    struct tensor *outputs = s->scratch;

    if (!step_gradient(s, s->in, outputs))
        return false;
    for (int k = 0; k < s->node->slots; k++)
        if (s->out[k] && !pass_value(s, k, &outputs[k]))
            return false;
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    return backward_error(
        b, "it stands in a subgraph: gradients of gradients are taken in the graph that is differentiated "
           "alone");
}

/* -- test -- */

#define OF(nodes, how) "{ " nodes " y0 = ai.onnx.preview.training.Gradient <" how "> (x0, x1) }"

static const struct op_case cases[] = {
    { "f64[2,3] f64[3]", OF("s = Mul (x0, x1) t = Exp (s)", "xs = [\"x0\"], zs = [\"x1\"], y = \"t\""), "f64[2,3]", 3 },
    { "f32[2,3] f32[3]", OF("s = Mul (x0, x1) t = Tanh (s)", "xs = [\"x0\", \"x1\"], y = \"t\""), "f32[2,3]", 0 },
    { "f16[2,3] f16[3]", OF("s = Mul (x0, x1)", "xs = [\"x0\", \"x1\"], y = \"s\""), "f16[2,3]", 0 },
    { "f64[2,3] f64[2,3]",
      "{ s = Mul (x0, x1) t = Add (s, x0) y0, y1 = ai.onnx.preview.training.Gradient <xs = [\"s\", \"x0\"], y = \"t\"> "
      "(x0, x1) }",
      "f64[2,3] f64[2,3]", 0 },
    { "f64[0,3] f64[3]", OF("s = Mul (x0, x1) t = Tanh (s)", "xs = [\"x0\"], zs = [\"x1\"], y = \"t\""), "f64[0,3]",
      0 },
    { 0 },
};

const struct op op_gradient = {
    .name = "Gradient",
    .domain = "ai.onnx.preview.training",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 Inputs* -> T2 Outputs*",
                                       .types = "T1: all; T2: floats",
                                       .attrs_size = sizeof(struct gradient),
                                       .parse = parse,
                                       .rank = rank,
                                       .dtype = dtype,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .flags = OP_RUN_ONLY | OP_DIFFERENTIATES,
                                       .cases = cases },
                                     { 0 } },
};
