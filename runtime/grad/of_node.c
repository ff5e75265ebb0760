/* Gradients that a node of the file asks for. */
#include "grad/grad.h"
#include "ops/move.h"
#include "plan/given.h"
#include <string.h>

enum { MAX_NODES = 1 << 20 }; /* what gradients of gradients may grow to */

static bool asks_for_gradients(const struct node *n)
{
    return n->def->flags & OP_DIFFERENTIATES;
}

/* -- one of them -- */

struct asked {
    const struct node *node;
    struct graph *graph; /* a copy of its subgraph, which grows */
    const struct plan_context *c;
    struct arena *scratch;
    struct tensor *given; /* of the copy: what comes from outside */
    bool *content;
};

static bool give_types(struct asked *a, const struct tensor *const *types)
{
    const struct node *n = a->node;
    const struct graph *g = a->graph;

    a->given = given_types(g, a->scratch, a->c->report);
    a->content = arena_array(a->scratch, g->value_count, sizeof *a->content, a->c->report);
    if (!a->given || !a->content)
        return false;
    for (size_t k = 0; k < g->input_count; k++)
        a->given[g->inputs[k]->id] = k < (size_t)n->inputs ? *types[k] : g->inputs[k]->type;
    for (size_t c = 0; c < g->capture_count; c++)
        for (int k = n->inputs; k < n->inputs + n->captured; k++)
            if (n->in[k]->id == g->captures[c].outer->id)
                a->given[g->captures[c].inner->id] = *types[k];
    for (size_t k = 0; k < g->value_count; k++)
        a->content[k] = a->given[k].data;
    return true;
}

/* What flows into y: 1 for each element. */
static struct value *ones(struct emitter *e, const struct tensor *y)
{
    struct value *const one = emit_scalar(e, y->dtype, 1);

    return y->rank ? emit(e, "Expand", "", 2, one, emit_ints(e, y->rank, y->dims)) : one;
}

/* What is constant in pieces on each way to it has the gradient zero: that y depends on it was looked at when the node was
 * read. */
static bool fill(struct emitter *e, const struct grad_request *q)
{
    for (size_t k = 0; k < q->count; k++) {
        const struct tensor *t = &q->types[q->wrt[k]->id];

        if (!q->gradient[k])
            q->gradient[k] = emit_zeros(e, t->dtype, t->rank, t->dims);
    }
    return !e->failed;
}

static bool build(struct asked *a, const struct tensor *types)
{
    struct graph *g = a->graph;
    struct report *r = a->c->report;
    struct emitter e = { .graph = g, .report = r };
    struct value *y = g->outputs[0], *flow;
    struct value **wrt = arena_array(a->scratch, g->input_count, sizeof *wrt, r);
    struct value **got = arena_array(a->scratch, g->input_count, sizeof *got, r);
    struct grad_request q = { .graph = g, .types = types, .seeds = 1, .seed = &y, .wrt = wrt, .gradient = got };
    char where[WHERE_TEXT], text[TYPE_TEXT];
    bool ok = wrt && got;

    if (ok && (!tensor_known(&types[y->id]) || !dtype_is_float(types[y->id].dtype)))
        return fail(r, KILN_UNSUPPORTED, node_where(a->node, where), "'%s' is %s, must be float, and of a known shape",
                    y->name, tensor_text(&types[y->id], text));
    flow = ok ? ones(&e, &types[y->id]) : NULL;
    q.seed_gradient = &flow;
    for (int k = 0; flow && k < a->node->slots; k++)
        if (a->node->out[k])
            wrt[q.count++] = g->inputs[k];
    ok = flow && grad_build(&q, a->c) && fill(&e, &q);
    g->output_count = 0;
    for (size_t k = 0; ok && k < q.count; k++)
        ok = graph_add_output(g, got[k]);
    return ok;
}

/* The forward subgraph may belong to the graph that the one around is a copy of. */
static struct graph *copy(const struct node *n, struct graph *around, struct arena *arena, struct report *r)
{
    struct graph *g = graph_clone(n->graph_of[0], arena, r);

    if (!g)
        return NULL;
    g->report = r;
    g->parent = around;
    for (size_t k = 0; k < g->capture_count; k++)
        g->captures[k].outer = around->values[g->captures[k].outer->id];
    return g;
}

struct graph *grad_of_node(const struct node *n, const struct tensor *const *types, struct graph *around,
                           const struct found *found, bool *open, struct arena *arena, const struct plan_context *c)
{
    struct arena scratch = { .budget = c->budget };
    struct asked a = { .node = n, .graph = copy(n, around, arena, c->report), .c = c, .scratch = &scratch };
    struct program *known = NULL;
    const size_t values = a.graph ? a.graph->value_count : 0;
    bool ok = a.graph && (!found || found_put(found, a.graph)) && give_types(&a, types) &&
              grad_expand(a.graph, a.given, a.content, c);

    ok = ok && grad_spell_out(a.graph, a.given, a.content, values, c); /* what was put in is differentiated again */
    ok = ok && give_types(&a, types);

    if (ok)
        known = plan_types(a.graph, a.given, a.content, c);
    if (known && open && !found && found_open(known))
        ok = !(*open = true);
    ok = known && ok && build(&a, known->types);
    program_free(known);
    arena_release(&scratch);
    if (ok)
        return a.graph;
    graph_release(a.graph);
    return NULL;
}

/* -- all of them -- */

/* They are parts of the node for people, and draw the numbers that the node's own would. */
static void adopt(struct graph *g, struct node *n, size_t from, int streams)
{
    for (size_t k = from; k < g->node_count; k++) {
        struct node *made = g->nodes[k];

        made->stream -= streams;
        for (int s = 0; s < made->graphs; s++)
            if (made->graph_of[s]->parent == g)
                made->graph_of[s]->stream -= streams;
        while (made->origin && made->origin != n)
            made = made->origin;
        if (made != n)
            made->origin = n;
    }
}

static bool replace(struct graph *g, struct node *n, const struct program *known, const struct plan_context *c)
{
    const size_t from = g->node_count;
    const int streams = g->streams, count = n->inputs + n->captured;
    struct emitter e = { .graph = g, .report = c->report };
    const struct tensor **types = emit_alloc(&e, (size_t)count * sizeof *types);
    struct value **out = emit_alloc(&e, (size_t)n->slots * sizeof *out);
    struct graph *made;
    char where[WHERE_TEXT];
    bool ok = types && out, open = false;

    for (int k = 0; k < count && ok; k++)
        types[k] = &known->types[n->in[k]->id];
    made = ok ? grad_of_node(n, types, g, NULL, &open, g->arena, c) : NULL;
    if (open)
        return fail(c->report, KILN_UNSUPPORTED, node_where(n, where),
                    "no gradient goes through a gradient of what has sizes that only running tells");
    ok = made && graph_take(g, made, n->in, out);
    graph_release(made);
    if (!ok)
        return false;
    adopt(g, n, from, streams);
    for (int k = 0, at = 0; k < n->slots && ok; k++)
        if (n->out[k])
            ok = value_becomes(n->out[k], emit(&e, "Identity", "", 1, out[at++]));
    return ok && graph_replace_node(g, n->id, from);
}

struct program *grad_types(struct graph *g, const struct tensor *given, const bool *content, size_t values,
                           struct arena *scratch, const struct plan_context *c)
{
    struct tensor *tensors = given_types(g, scratch, c->report);
    bool *told = arena_array(scratch, g->value_count, sizeof *told, c->report);

    if (!tensors || !told)
        return NULL;
    if (values)
        memcpy(tensors, given, values * sizeof *tensors);
    if (values && content)
        memcpy(told, content, values * sizeof *told);
    return plan_types(g, tensors, told, c);
}

static bool expand_next(struct graph *g, size_t at, const struct tensor *given, const bool *content, size_t values,
                        const struct plan_context *c)
{
    struct arena scratch = { .budget = c->budget };
    struct program *known = grad_types(g, given, content, values, &scratch, c);
    const bool ok = known && replace(g, g->nodes[at], known, c);

    program_free(known);
    arena_release(&scratch);
    return ok;
}

/* Gradients nest no deeper than the operator allows, so this may recurse. */
bool grad_expand(struct graph *g, const struct tensor *given, const bool *content, const struct plan_context *c)
{
    const size_t values = g->value_count;

    for (size_t k = 0; k < g->node_count; k++) {
        if (!asks_for_gradients(g->nodes[k]))
            continue;
        if (g->node_count > MAX_NODES)
            return fail(c->report, KILN_LIMIT, g->path, "gradients of gradients make more than %d nodes",
                        (int)MAX_NODES);
        if (!expand_next(g, k--, given, content, values, c))
            return false;
    }
    return true;
}
