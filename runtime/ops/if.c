/* If, https://onnx.ai/onnx/operators/onnx__If.html
 *
 * Runs one of two subgraphs and gives its outputs. Where the condition is known when planning only that branch is
 * looked at; else a shape in which the branches differ is told by running. What is optional in one branch is so in the
 * other, where the standard has the same types in both. The gradient is an If of the same condition
 * over the branches' gradients, for what they capture. */
#include "ops/rank.h"
#include "ops/value.h"

struct branches {
    const struct graph *of[2]; /* then, else: as in graph_of */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "then_branch", "else_branch" };
    struct branches *a = attrs;

    for (int k = 0; k < 2; k++) {
        const struct graph *g;

        if (attr_graph(p, names[k]) < 0)
            return false;
        g = a->of[k] = attr_any(p, names[k])->graph;
        if (g->input_count)
            return parse_error(p, "%s has %zu inputs, must have none", names[k], g->input_count);
        if (g->output_count != (size_t)outputs_written(p))
            return parse_error(p, "%s has %zu outputs, must have %d as the node", names[k], g->output_count,
                               outputs_written(p));
    }
    return true;
}

/* -- plan -- */

/* The branch that a condition chooses. */
static int chosen(const struct tensor *condition)
{
    return *(const uint8_t *)condition->data ? 0 : 1;
}

static bool infer(struct infer *i)
{
    const struct branches *a = infer_attrs(i);
    const struct tensor *condition = typed_in(i, 0);
    const size_t count = a->of[0]->output_count;
    struct tensor *types = infer_alloc(i, 2 * count * sizeof *types), *other = types + count;

    if (!types)
        return false;
    if (tensor_count(condition) != 1)
        return infer_error(i, "'cond' has %lld values, must have 1", (long long)tensor_count(condition));
    if (!infer_graph(i, condition->data ? chosen(condition) : 0, NULL, types))
        return false;
    if (!condition->data && !infer_graph(i, 1, NULL, other))
        return false;
    for (size_t k = 0; k < count; k++) {
        struct tensor *out = typed_out(i, (int)k);
        char text[2][TYPE_TEXT];

        types[k].data = NULL;
        if (condition->data && a->of[1 - chosen(condition)]->outputs[k]->type.kind == OPTIONAL &&
            types[k].kind != OPTIONAL)
            types[k] = optional_of(&types[k]);
        if (!condition->data && !join_types(&types[k], &other[k]))
            return infer_error(i, "output %zu is %s in then_branch and %s in else_branch", k,
                               tensor_text(&types[k], text[0]), tensor_text(&other[k], text[1]));
        if (out)
            *out = types[k];
    }
    need_scratch(i, count * sizeof(struct tensor));
    return true;
}

/* -- run -- */

/* Strings and sequences are shared with the branch: their memory is the branch's until it runs again, which is when
 * this node does. */
static bool run(struct step *s)
{
    const int branch = chosen(s->in[0]);
    struct tensor *outputs = s->scratch;

    if (!step_call(s, branch, NULL, outputs))
        return false;
    for (int k = 0; k < s->node->slots; k++)
        if (!pass_value(s, k, &outputs[k]))
            return false;
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    static const char *const names[] = { "then_branch", "else_branch" };
    const struct node *n = node_of(b);
    struct emitter *e = emitter_of(b);
    int *inputs = emit_alloc(e, (size_t)n->captured * sizeof *inputs), count = 0;
    struct value **dx = emit_alloc(e, (size_t)n->captured * sizeof(struct value *));
    struct graph *branches[2];

    if (!inputs || !dx)
        return backward_ok(b);
    for (int k = n->inputs; k < n->inputs + n->captured; k++)
        if (wants(b, k))
            inputs[count++] = k;
    branches[0] = gradient_graph(b, 0, count, inputs);
    branches[1] = branches[0] ? gradient_graph(b, 1, count, inputs) : NULL;
    if (!branches[1]) {
        graph_release(branches[0]);
        return false;
    }
    emit_graphs(e, "If", 2, names, branches, count, dx, 1, (struct value *[]){ forward_in(b, 0) });
    for (int k = 0; k < count; k++)
        give(b, inputs[k], dx[k]);
    return backward_ok(b);
}

/* -- test -- */

#define NEGATED                                                                                                        \
    "{ y0 = If (x0) <then_branch = t () => (double[2,3] a) { a = Neg (x1) }, "                                         \
    "else_branch = f () => (double[2,3] b) { b = Mul (x1, x1) }> }"

#define CURVED                                                                                                         \
    "{ y0 = If (x0) <then_branch = t () => (double[2,3] a) { a = Tanh (x1) }, "                                        \
    "else_branch = f () => (double[2,3] b) { c = Cos (x1) b = Mul (x1, c) }> }"

static const struct op_case cases[] = {
    { "bool[]{1} f64[2,3]", CURVED, "f64[2,3]", 2 },
    { "bool[]{0} f64[2,3]", CURVED, "f64[2,3]", 2 },
    { "bool[]{1} f64[2,3]", NEGATED, "f64[2,3]", 2 },
    { "bool[]{0} f64[2,3]", NEGATED, "f64[2,3]", 2 },
    { "bool[1]{0} f32[2] f32[2]",
      "{ y0, y1 = If (x0) <then_branch = t () => (float[2] a, float[2] b) { a = Neg (x1) b = Neg (x2) }, "
      "else_branch = f () => (float[2] c, float[2] d) { c = Add (x1, x2) d = Sub (x1, x2) }> }",
      "f32[2] f32[2]", 0 },
    { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "B cond -> V outputs*", .types = "B: bool; V: " t,                              \
        .attrs_size = sizeof(struct branches), .parse = parse, .rank = rank_unknown, .infer = infer, .run = run,       \
        .gradient = gradient, .flags = OP_RUN_ONLY, .cases = cases                                                     \
    }
#define ALL_KINDS(small) "all bf16" small " seq(all bf16" small ") opt(all bf16" small ") opt(seq(all bf16))"

const struct op op_if = {
    .name = "If",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, ALL_KINDS(" ir13")),
                                     ROW(24, ALL_KINDS(" ir12")),
                                     ROW(23, ALL_KINDS(" ir11")),
                                     ROW(21, ALL_KINDS(" ir10")),
                                     ROW(19, ALL_KINDS(" ir9")),
                                     ROW(16, ALL_KINDS("")),
                                     ROW(13, "all seq(all)"),
                                     ROW(11, "all"),
                                     ROW(1, "all"),
                                     { 0 } },
};
