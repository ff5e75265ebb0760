/* Private nodes in operators of the standard, whose gradients there are. */
#include "grad/grad.h"
#include "ops/move.h"
#include "plan/given.h"
#include <string.h>

enum { MAX_ROUNDS = 8 }; /* what is spelled out may have private nodes itself */

/* What for. */
struct spelling {
    bool all; /* for a file: nothing private is left; else for gradients: what has rules may stay */
    struct value *seed, *step;
};

static bool has_hidden(const struct node *n)
{
    for (int k = n->slots - n->def->hidden; k < n->slots; k++)
        if (n->out[k])
            return true;
    return false;
}

static bool is_spelled(const struct spelling *s, const struct node *n)
{
    if (!s->all)
        return n->def->spell_out || n->def->retrace;
    return strcmp(n->op->domain, "kiln") == 0 || (n->def->plain && (n->said_count < 0 || has_hidden(n)));
}

static bool has_bodies(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->graphs)
            return true;
    return false;
}

static bool any_is_spelled(const struct spelling *s, const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (is_spelled(s, g->nodes[k]))
            return true;
    return false;
}

/* -- made again, and differentiated -- */

struct again {
    struct node *n;
    const struct tensor *const *in;
    struct graph *graph; /* which is put in the node's place */
    struct arena *scratch;
    const struct plan_context *c;
    struct value **x; /* in the graph, by input of the node */
    struct retraced r;
};

static bool again_inputs(struct again *a)
{
    for (int k = 0; k < a->n->inputs; k++) {
        if (!a->n->in[k])
            continue;
        a->x[k] = graph_value(a->graph, NULL);
        if (!a->x[k] || !graph_add_input(a->graph, a->x[k]))
            return false;
        a->x[k]->known = (struct known){ a->in[k]->rank, a->in[k]->dtype };
    }
    return true;
}

static struct program *again_types(struct again *a)
{
    struct tensor *given = given_types(a->graph, a->scratch, a->c->report);
    bool *content = arena_array(a->scratch, a->graph->value_count, sizeof *content, a->c->report);

    for (int k = 0; k < a->r.count; k++) /* so that they are planned */
        if (!graph_add_output(a->graph, a->r.y[k]))
            return NULL;
    for (int k = 0; given && k < a->n->inputs; k++)
        if (a->x[k])
            given[a->x[k]->id] = *a->in[k];
    for (size_t k = 0; given && content && k < a->graph->value_count; k++)
        content[k] = given[k].data;
    return given && content ? plan_types(a->graph, given, content, a->c) : NULL;
}

/* The gradients become the outputs of the graph. */
static bool again_back(struct again *a, const struct tensor *types)
{
    struct emitter e = { .graph = a->graph, .report = a->c->report };
    struct value *y[MOST_RETRACED], *dy[MOST_RETRACED], *wrt[MOST_RETRACED], *got[MOST_RETRACED];
    struct grad_request q = {
        .graph = a->graph, .types = types, .seed = y, .seed_gradient = dy, .wrt = wrt, .gradient = got
    };

    for (int k = 0; k < a->r.count; k++)
        if (a->x[a->r.dy[k]]) {
            y[q.seeds] = a->r.y[k];
            dy[q.seeds++] = a->x[a->r.dy[k]];
        }
    for (int k = 0; k < a->n->slots; k++)
        if (a->n->out[k])
            wrt[q.count++] = a->r.wrt[k];
    if (!grad_build(&q, a->c))
        return false;
    a->graph->output_count = 0;
    for (size_t k = 0; k < q.count; k++) {
        const struct tensor *t = &types[wrt[k]->id];

        if (!got[k])
            got[k] = emit_zeros(&e, t->dtype, t->rank, t->dims);
        if (!got[k] || !graph_add_output(a->graph, got[k]))
            return false;
    }
    return !e.failed;
}

static bool put_again(struct emitter *e, struct again *a, struct value **out)
{
    struct value **in = emit_alloc(e, (size_t)a->n->inputs * sizeof *in), *made[MOST_RETRACED];
    int count = 0;

    for (int k = 0; in && k < a->n->inputs; k++)
        if (a->x[k])
            in[count++] = a->n->in[k];
    if (!in || !graph_take(e->graph, a->graph, in, made))
        return false;
    count = 0;
    for (int k = 0; k < a->n->slots; k++)
        if (a->n->out[k])
            out[k] = made[count++];
    return true;
}

static bool spell_again(struct emitter *e, struct node *n, const struct tensor *const *in, struct value **out,
                        struct arena *scratch, const struct plan_context *c)
{
    struct again a = { .n = n, .in = in, .scratch = scratch, .c = c };
    struct emitter into = { .report = c->report };
    struct program *known = NULL;
    bool ok;

    a.graph = into.graph = graph_new(e->graph->arena, e->graph, e->graph->path, c->report);
    a.x = arena_array(scratch, (size_t)n->inputs, sizeof *a.x, c->report);
    ok = a.graph && a.x && again_inputs(&a) && n->def->retrace(&into, n, in, a.x, &a.r) && !into.failed;
    if (ok)
        known = again_types(&a);
    ok = known && again_back(&a, known->types) && put_again(e, &a, out);
    program_free(known);
    if (a.graph)
        graph_release(a.graph);
    return ok;
}

/* -- in operators -- */

static bool spell_node(struct emitter *e, const struct spelling *s, struct node *n, const struct tensor *const *in,
                       struct value **out, struct arena *scratch, const struct plan_context *c)
{
    char where[WHERE_TEXT];

    if (s->all && n->def->plain)
        return n->def->plain(e, n, in, out);
    if (n->def->spell_out)
        return n->def->spell_out(e, n, in, out);
    return n->def->retrace ? spell_again(e, n, in, out, scratch, c)
                           : fail(c->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
                                  "%s has no form in operators of the standard that can be written", n->op_name);
}

/* What takes its place stands behind all others. */
static bool spell(struct graph *g, const struct spelling *s, struct node *n, const struct program *known,
                  struct arena *scratch, const struct plan_context *c)
{
    const size_t from = g->node_count;
    struct emitter e = { .graph = g, .report = c->report, .seed = s->seed, .step = s->step };
    const struct tensor **in = arena_array(scratch, (size_t)n->inputs, sizeof *in, c->report);
    struct value **out = arena_array(scratch, (size_t)n->slots, sizeof *out, c->report);
    bool ok = in && out;

    for (int k = 0; ok && k < n->inputs; k++)
        in[k] = n->in[k] ? &known->types[n->in[k]->id] : NULL;
    if (ok)
        ok = spell_node(&e, s, n, in, out, scratch, c);
    if (!ok || e.failed)
        return failed(c->report) ? false : fail_no_memory(c->report, 0);
    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && !value_becomes(n->out[k], emit(&e, "Identity", "", 1, out[k])))
            return false;
    for (size_t k = from; k < g->node_count; k++) {
        g->nodes[k]->origin = n->origin ? n->origin : n;
        g->nodes[k]->stream = n->stream;
    }
    return true;
}

static bool is_needed(const struct node *n, const bool *needed)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && needed[n->out[k]->id])
            return true;
    return false;
}

/* By value id: what an output of the graph needs. */
static bool *find_needed(const struct graph *g, struct arena *scratch, struct report *r)
{
    bool *needed = arena_array(scratch, g->value_count, sizeof *needed, r);

    for (size_t k = 0; needed && k < g->output_count; k++)
        needed[g->outputs[k]->id] = true;
    for (size_t k = g->node_count; needed && k-- > 0;)
        if (is_needed(g->nodes[k], needed))
            for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
                if (g->nodes[k]->in[i])
                    needed[g->nodes[k]->in[i]->id] = true;
    return needed;
}

/* What is written in other operators goes by types. */
static bool has_types(const struct node *n, const struct program *known, const struct plan_context *c)
{
    char where[WHERE_TEXT];

    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && known->types[n->out[k]->id].rank != UNKNOWN)
            return true;
    return fail(c->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
                "only running tells its sizes, without which it cannot be written in operators of the standard");
}

static void drop_node(struct node *n)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            n->out[k]->producer = NULL;
}

/* Of the first `count` nodes those that go give their places to those behind them that begin at from[k], and end where
 * from[k + 1] begins. */
static bool put_in_place(struct graph *g, size_t count, const bool *goes, const size_t *from, struct arena *scratch)
{
    struct node **order = arena_array(scratch, g->node_count, sizeof *order, g->report);
    size_t n = 0;

    if (!order)
        return false;
    for (size_t k = 0; k < count; k++) {
        if (!goes[k])
            order[n++] = g->nodes[k];
        for (size_t added = from[k]; added < from[k + 1]; added++)
            order[n++] = g->nodes[added];
    }
    for (size_t k = 0; k < n; k++) {
        g->nodes[k] = order[k];
        g->nodes[k]->id = (int)k;
    }
    g->node_count = n;
    return true;
}

/* Of the nodes that there are now: what is private in what takes their place has no types yet. */
static bool spell_round(struct graph *g, const struct spelling *s, const struct program *known, struct arena *scratch,
                        const struct plan_context *c)
{
    const size_t count = g->node_count;
    bool *goes = arena_array(scratch, count, sizeof *goes, c->report);
    size_t *from = arena_array(scratch, count + 1, sizeof *from, c->report);
    const bool *needed = find_needed(g, scratch, c->report);

    if (!goes || !from || !needed)
        return false;
    for (size_t k = 0; k < count; k++) {
        struct node *n = g->nodes[k];

        from[k] = g->node_count;
        goes[k] = is_spelled(s, n);
        if (goes[k] && s->all && !is_needed(n, needed))
            drop_node(n);
        else if (goes[k] && ((s->all && !has_types(n, known, c)) || !spell(g, s, n, known, scratch, c)))
            return false;
    }
    from[count] = g->node_count;
    return put_in_place(g, count, goes, from, scratch);
}

/* Others draw what no other runtime would. */
static bool check_drawn(const struct node *n, const struct plan_context *c)
{
    char where[WHERE_TEXT];

    return !(n->def->flags & OP_RANDOM) || n->def->plain ||
           fail(c->report, KILN_UNSUPPORTED, node_where(node_origin(n), where),
                "it draws random numbers, which other runtimes would not draw");
}

static bool spell_all(struct graph *g, const struct spelling *s, const struct tensor *given, const bool *content,
                      size_t values, const struct plan_context *c);

/* A body, whose values have the types that planning has found for it. */
static bool spell_body(struct graph *sub, const struct spelling *s, const struct program *known,
                       const struct plan_context *c)
{
    const struct spelling own = { .all = s->all };
    struct arena scratch = { .budget = c->budget };
    struct tensor *given = given_types(sub, &scratch, c->report);
    bool ok = given;

    for (size_t k = 0; given && k < sub->input_count; k++)
        given[sub->inputs[k]->id] = known->types[sub->inputs[k]->id];
    for (size_t k = 0; given && k < sub->capture_count; k++)
        given[sub->captures[k].inner->id] = known->types[sub->captures[k].inner->id];
    ok = ok && spell_all(sub, &own, given, NULL, sub->value_count, c);
    arena_release(&scratch);
    return ok;
}

/* Of the graph's bodies those that a run may come to. */
static bool spell_bodies(struct graph *g, const struct spelling *s, const struct program *known,
                         const struct plan_context *c)
{
    for (const struct body *b = known->bodies; b; b = b->next)
        if (b->node->graph == g && b->program && !spell_body(b->node->graph_of[b->graph], s, b->program, c))
            return false;
    return true;
}

static bool spell_all(struct graph *g, const struct spelling *s, const struct tensor *given, const bool *content,
                      size_t values, const struct plan_context *c)
{
    bool bodies = s->all && has_bodies(g);

    for (size_t k = 0; s->all && k < g->node_count; k++)
        if (!check_drawn(g->nodes[k], c))
            return false;
    for (int round = 0; bodies || any_is_spelled(s, g); round++) {
        struct arena scratch = { .budget = c->budget };
        struct program *known = grad_types(g, given, content, values, &scratch, c);
        /* before nodes come and go, which planning knows by their numbers */
        const bool ok = known && (!bodies || spell_bodies(g, s, known, c)) && spell_round(g, s, known, &scratch, c);

        bodies = false;
        program_free(known);
        arena_release(&scratch);
        if (!ok)
            return false;
        if (round == MAX_ROUNDS)
            return fail(c->report, KILN_LIMIT, g->path, "gradients of gradients are spelled out in more than %d rounds",
                        (int)MAX_ROUNDS);
    }
    return true;
}

bool grad_spell_out(struct graph *g, const struct tensor *given, const bool *content, size_t values,
                    const struct plan_context *c)
{
    return spell_all(g, &(struct spelling){ 0 }, given, content, values, c);
}

bool grad_spell_plain(struct graph *g, const struct tensor *given, size_t values, struct value *seed,
                      struct value *step, const struct plan_context *c)
{
    const struct spelling s = { .all = true, .seed = seed, .step = step };

    return graph_own_subgraphs(g) && spell_all(g, &s, given, NULL, values, c);
}
