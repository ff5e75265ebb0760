#include "plan/pass.h"
#include "ops/constant.h"
#include "ops/elementwise.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include <string.h>

struct use *pass_uses(const struct graph *g, struct report *r)
{
    struct use *uses = arena_array(g->arena, g->value_count, sizeof *uses, r);

    for (size_t k = 0; uses && k < g->node_count; k++) {
        struct node *n = g->nodes[k];

        for (int i = 0; i < n->inputs + n->captured; i++)
            if (n->in[i]) {
                uses[n->in[i]->id].count++;
                uses[n->in[i]->id].reader = n;
            }
    }
    for (size_t k = 0; uses && k < g->output_count; k++)
        uses[g->outputs[k]->id].count++;
    return uses;
}

void pass_know(const struct rewrite *w)
{
    for (size_t k = 0; w->given && k < w->values; k++)
        if (w->given[k].rank >= 0 && w->given[k].kind == TENSOR)
            w->graph->values[k]->known = (struct known){ w->given[k].rank, w->given[k].dtype };
    for (size_t k = 0; k < w->graph->node_count; k++)
        know_outputs(w->graph->nodes[k]);
}

struct value *pass_initializer(struct graph *g, enum dtype dtype, int rank, const int64_t *dims, struct report *r)
{
    struct value *v = graph_value(g, NULL);
    struct tensor *t = v ? arena_alloc(g->arena, sizeof *t, r) : NULL;

    if (!t || !tensor_shape(t, dtype, rank, dims) || !(t->data = arena_alloc(g->arena, (size_t)tensor_bytes(t), r)))
        return NULL;
    v->initializer = t;
    v->folded = true;
    return v;
}

static bool reads(const struct node *n, int k)
{
    return k >= 0 && k < n->inputs && n->in[k];
}

bool pass_step(const struct node *n, struct chain_step *s)
{
    const struct chain_rule *rule = n->def ? n->def->chain : NULL;

    if (!rule || !n->slots || !n->out[0] || !reads(n, rule->p) || (rule->q != CHAIN_NOTHING && !reads(n, rule->q)))
        return false;
    for (int k = 1; k < n->slots; k++)
        if (n->out[k])
            return false;
    *s = (struct chain_step){ .formula = rule->formula };
    if (rule->read)
        return rule->read(n, s);
    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && k != rule->p && k != rule->q)
            return false;
    return true;
}

struct node *pass_next(const struct use *uses, const struct node *n)
{
    const struct value *y = n->slots ? n->out[0] : NULL;

    return y && uses[y->id].count == 1 ? uses[y->id].reader : NULL;
}

void pass_empty(struct node *n)
{
    for (int k = 0; k < n->inputs + n->captured; k++)
        n->in[k] = NULL;
    for (int k = 0; k < n->slots; k++)
        n->out[k] = NULL;
}

void *pass_attrs(struct node *n, struct report *r)
{
    void *attrs = arena_alloc(n->graph->arena, n->def->attrs_size, r);

    if (attrs)
        n->attrs = memcpy(attrs, n->attrs, n->def->attrs_size);
    n->said_count = UNKNOWN;
    return attrs;
}

void *pass_lower(struct node *n, struct report *r)
{
    const struct op_def *def = node_lowered(n);
    void *attrs = arena_alloc(n->graph->arena, def->attrs_size, r);

    if (!attrs)
        return NULL;
    if (n->def->attrs_size)
        memcpy(attrs, n->attrs, n->def->attrs_size);
    n->op = n->op->lowered ? n->op->lowered : n->op;
    n->def = def;
    n->attrs = attrs;
    return attrs;
}

void pass_replace(const struct use *uses, struct node *n, struct node *last)
{
    struct value *y = last->out[0];
    struct node *m = n;

    do {
        struct value *between = m->out[0];
        struct node *next = uses[between->id].reader;

        between->producer = NULL;
        if (m != n)
            pass_empty(m);
        m = next;
    } while (m != last);
    pass_empty(last);
    n->out[0] = y;
    y->producer = n;
}

/* Weights that a pass has put others in place of. */
static void forget_unused(struct passes *p, struct report *r)
{
    const struct use *uses = pass_uses(p->graph, r);
    int *reads = uses ? arena_array(&p->arena, p->graph->value_count, sizeof *reads, r) : NULL;
    struct pieces pieces;

    for (size_t k = 0; reads && k < p->graph->value_count; k++)
        reads[k] = uses[k].count;
    if (!reads || !pieces_find(&pieces, p->graph, reads, &p->arena, r))
        return;
    for (size_t k = 0; k < p->graph->value_count; k++)
        passes_forget(p, p->graph->values[k], &pieces);
}

bool pass_unread(struct rewrite *w)
{
    const struct graph *g = w->graph;
    const struct use *uses = pass_uses(g, w->c->report);

    for (size_t k = 0; uses && k < g->node_count; k++)
        for (int o = 1; o < g->nodes[k]->slots; o++) {
            struct value *v = g->nodes[k]->out[o];

            if (!v || uses[v->id].count)
                continue;
            v->producer = NULL;
            g->nodes[k]->out[o] = NULL;
        }
    return uses;
}

bool pass_take_constants(const struct rewrite *w)
{
    const struct graph *g = w->graph;
    bool *asked = arena_array(g->arena, g->value_count, sizeof *asked, w->c->report);

    for (size_t k = 0; asked && w->kept && k < w->values; k++)
        asked[k] = w->kept[k];
    for (size_t k = 0; asked && k < g->output_count; k++)
        asked[g->outputs[k]->id] = true;
    for (size_t k = 0; asked && k < g->node_count; k++) {
        struct node *n = g->nodes[k];
        struct value *v = node_is(n, &op_constant) ? n->out[0] : NULL;
        const struct constant *a = n->attrs;

        if (!v || asked[v->id] || v->trains || a->value.dtype == STRING)
            continue;
        v->initializer = &a->value;
        v->folded = true;
        v->producer = NULL;
        n->out[0] = NULL;
    }
    return asked;
}

/* -- all of them -- */

static const struct pass {
    bool (*run)(struct rewrite *w);
    unsigned times; /* of enum pass_time */
} passes[] = {
    { pass_quantized, PASS_SESSION },
    { pass_constants, PASS_SESSION },
    { pass_unread, PASS_SESSION | PASS_BODIES },
    { pass_shuffle, PASS_SESSION | PASS_BODIES },
    { pass_pad, PASS_SESSION | PASS_EVALUATION | PASS_FORWARD },
    { pass_layout, PASS_SESSION | PASS_EVALUATION | PASS_FORWARD },
    { pass_norm, PASS_FORWARD },
    { pass_transposes, PASS_SESSION | PASS_BODIES },
    { pass_affine, PASS_SESSION },
    { pass_residual, PASS_SESSION },
    { pass_relu, PASS_SESSION | PASS_BODIES },
    { pass_concat, PASS_SESSION },
    { pass_segments, PASS_STEP },
    { pass_recompute, PASS_STEP },
    { pass_fuse, PASS_SESSION | PASS_EVALUATION | PASS_STEP | PASS_BODIES },
};

/* What is known outside of captured values is known inside. Formal inputs are those of the node, in their order (Loop):
 * their types come from there alone. What the file declares of them is not believed, as it is not when it is run. */
static void know_from_outside(const struct node *n, const struct graph *sub)
{
    bool other = false;

    for (size_t c = 0; c < sub->capture_count; c++)
        sub->captures[c].inner->known = known_of(sub->captures[c].outer);
    for (size_t k = 0; k < sub->input_count; k++) {
        const enum dtype dtype = known_input(n, (int)k).dtype;

        if (dtype == known_of(sub->inputs[k]).dtype)
            continue;
        sub->inputs[k]->has_type = false;
        sub->inputs[k]->known = (struct known){ UNKNOWN, dtype };
        other = true;
    }
    for (size_t v = 0; other && v < sub->value_count; v++) /* what was thought to follow */
        if (sub->values[v]->producer)
            sub->values[v]->known = (struct known){ UNKNOWN, UNDEFINED };
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool run_in_bodies(const struct pass *p, const struct rewrite *around)
{
    const struct graph *g = around->graph;

    pass_know(around);
    for (size_t k = 0; k < g->node_count; k++)
        for (int s = 0; s < g->nodes[k]->graphs && !(g->nodes[k]->def->flags & OP_DIFFERENTIATES); s++) {
            struct rewrite w = { .graph = g->nodes[k]->graph_of[s], .c = around->c };

            know_from_outside(g->nodes[k], w.graph);
            if (!p->run(&w) || !run_in_bodies(p, &w))
                return false;
        }
    return true;
}

static bool has_bodies(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->graphs)
            return true;
    return false;
}

bool passes_apply(struct rewrite *w, enum pass_time time)
{
    const bool bodies = time != PASS_FORWARD && has_bodies(w->graph);

    if (bodies && !graph_own_subgraphs(w->graph))
        return false;
    for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) {
        const struct pass *p = &passes[k];

        if (!(p->times & time))
            continue;
        if (!p->run(w) || (bodies && p->times & PASS_BODIES && !run_in_bodies(p, w)))
            return false;
    }
    return true;
}

const struct graph *passes_run(struct passes *p, const struct graph *g, const struct plan_context *c)
{
    struct report r = { 0 }; /* what is wrong with the graph is told when it is run */
    struct plan_context own = *c;
    struct rewrite w = { .c = &own };
    bool ok;

    *p = (struct passes){ .arena.budget = c->budget };
    own.report = &r;
    own.once = true;
    p->graph = w.graph = graph_clone(g, &p->arena, &r);
    for (size_t k = 0; p->graph && k < p->graph->value_count; k++)
        p->graph->values[k]->is_input = p->graph->values[k]->is_input && !p->graph->values[k]->initializer;
    ok = p->graph && passes_apply(&w, PASS_SESSION);
    p->constants = w.constants;
    if (ok) {
        forget_unused(p, &r);
        p->graph->report = c->report;
        p->form = FORM_FRESH;
        return p->graph;
    }
    passes_free(p);
    return g;
}

void passes_free(struct passes *p)
{
    graph_release(p->graph);
    program_free(p->constants);
    arena_release(&p->arena);
    *p = (struct passes){ .arena.budget = p->arena.budget };
}
