/* Gradients through a subgraph that a node runs at most once (If): another subgraph, which computes the branch again
 * and goes back through it. */
#include "grad/backward.h"
#include "ops/node.h"
#include "plan/given.h"

/* What comes to the copy from outside. */
static bool body_given(struct backward *b, const struct graph *g, const struct tensor *inputs, struct tensor **tensors,
                       bool **content)
{
    *tensors = given_types(g, &b->scratch, b->c->report);
    *content = arena_array(&b->scratch, g->value_count, sizeof **content, b->c->report);
    if (!*tensors || !*content)
        return false;
    for (size_t k = 0; k < g->input_count; k++) {
        (*tensors)[g->inputs[k]->id] = inputs[k];
        (*content)[g->inputs[k]->id] = inputs[k].data;
    }
    given_captures(g, b->q->types, *tensors, *content);
    return true;
}

struct program *body_types(struct backward *b, struct graph *g, const struct tensor *inputs)
{
    struct tensor *tensors;
    bool *content;

    if (!body_given(b, g, inputs, &tensors, &content) || !grad_spell_out(g, tensors, content, g->value_count, b->c) ||
        !body_given(b, g, inputs, &tensors, &content))
        return NULL;
    return plan_types(g, tensors, content, b->c);
}

/* The forward subgraph may belong to the graph that the one being differentiated is a copy of; the new one belongs to
 * the copy. */
struct graph *body_copy(struct backward *b, const struct graph *forward)
{
    struct graph *g = graph_clone(forward, b->e.graph->arena, b->c->report);

    if (!g)
        return NULL;
    g->parent = b->e.graph;
    for (size_t k = 0; k < g->capture_count; k++)
        g->captures[k].outer = b->e.graph->values[g->captures[k].outer->id];
    return g;
}

/* A gradient for each wanted input: what the branch gives, or zeros where it does not read the input. */
static bool branch_outputs(struct backward *b, struct graph *g, struct value *const *gradients, int count,
                           const int *inputs)
{
    struct emitter e = { .graph = g, .report = b->c->report };

    g->output_count = 0;
    for (int k = 0; k < count; k++) {
        const struct tensor *t = type_in(b, inputs[k]);
        struct value *v = gradients[k];

        if (!v && t->kind != TENSOR)
            return backward_error(b,
                                  "input %d is no tensor, and only one of the branches reads it: its gradient is not "
                                  "known where it is not read",
                                  inputs[k]);
        if (!v)
            v = emit(&e, "Expand", "", 2, emit_scalar(&e, t->dtype, 0), emit_ints(&e, t->rank, t->dims));
        if (!v || !graph_add_output(g, v))
            return false;
    }
    return true;
}

/* What flows into output k of the branch. Where that alone is no optional value, it is what an optional one holds. */
static struct value *flow_into(struct backward *b, struct graph *g, int k, const struct tensor *types)
{
    struct emitter e = { .graph = g, .report = b->c->report };
    struct value *v = graph_capture(g, upstream(b, k));

    return v && type_out(b, k)->kind == OPTIONAL && types[g->outputs[k]->id].kind != OPTIONAL
               ? emit(&e, "OptionalGetElement", "", 1, v)
               : v;
}

static bool branch_backward(struct backward *b, struct graph *g, const struct tensor *types, int count,
                            const int *inputs)
{
    const size_t outputs = g->output_count;
    struct arena *a = &b->scratch;
    struct report *r = b->c->report;
    struct value **seed = arena_array(a, outputs, sizeof *seed, r), **flow = arena_array(a, outputs, sizeof *flow, r);
    struct value **wrt = arena_array(a, (size_t)count, sizeof *wrt, r),
                 **got = arena_array(a, (size_t)count, sizeof *got, r);
    struct value **gradients = arena_array(a, (size_t)count, sizeof *gradients, r);
    int *place = arena_array(a, (size_t)count, sizeof *place, r);
    struct grad_request q = {
        .graph = g, .types = types, .seed = seed, .seed_gradient = flow, .wrt = wrt, .gradient = got, .bptt = b->q->bptt
    };

    if (!seed || !flow || !wrt || !got || !gradients || !place)
        return false;
    for (size_t k = 0; k < outputs; k++)
        if (upstream(b, (int)k)) {
            seed[q.seeds] = g->outputs[k];
            flow[q.seeds] = flow_into(b, g, (int)k, types);
            if (!flow[q.seeds++])
                return false;
        }
    for (int k = 0; k < count; k++) {
        wrt[q.count] = graph_captured(g, forward_in(b, inputs[k]));
        if (wrt[q.count])
            place[q.count++] = k;
    }
    if (!grad_build(&q, b->c))
        return false;
    for (size_t k = 0; k < q.count; k++)
        gradients[place[k]] = got[k];
    return branch_outputs(b, g, gradients, count, inputs);
}

struct graph *gradient_graph(struct backward *b, int k, int count, const int *inputs)
{
    struct graph *g = body_copy(b, b->node->graph_of[k]);
    struct program *types = g ? body_types(b, g, NULL) : NULL;
    struct tensor *known = NULL;
    bool ok = false;

    /* what flows in is captured on the way: room for its types is not needed, rules ask for forward values only */
    if (types)
        known = types->types;
    if (known)
        ok = branch_backward(b, g, known, count, inputs);
    program_free(types);
    if (ok)
        return g;
    graph_release(g);
    b->e.failed = true;
    return NULL;
}
