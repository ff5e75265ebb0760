#include "ops/elementwise.h"
#include "plan/pass.h"
#include <string.h>

/* A value that an elementwise node of the forward part makes, and that steps of chains alone read in the backward part,
 * lies in memory for all the time between. Where what it is made of lies there anyway, those steps get a clone of the
 * node, right before the first of them: pass_fuse takes it into their chain, which reads an input in place of the
 * value. The bits are the same, as the steps of a chain are deterministic and have the bits of their nodes.
 *
 * An input lies there anyway if
 *   - it comes from outside, or is so small that it costs nothing to keep it;
 *   - the backward part reads it as well, behind the value's first reader, or before it with nothing but steps between,
 *     which will be one chain;
 *   - it is made again itself, for that same row of steps, or now for the clone alone, of what lies there anyway.
 * A value that the backward part reads elsewhere (the gradient of a convolution, a view, a subgraph) has to be in
 * memory then, as have the graph's outputs: they are left alone.
 *
 * A costly step takes as long as a value's way to memory and back, .5 to .8 ns an element where steps are fast: so one
 * of them is done again, not two, and only for a value that no cache near the core keeps. Cheap steps always pay, if
 * there are not so many that the chain falls into two. */

enum {
    BIG = 1 << 16,   /* bytes: smaller ones are not worth the work */
    LARGE = 1 << 21, /* bytes: from here on a costly step, and the value's way, take about the same time */
    SMALL = 64,      /* times must an input fit into the value so that it costs nothing to keep it */
    STEPS = 4        /* nodes that are done again for the sake of one value, it included */
};

struct reads {            /* of a value */
    bool forward, others; /* by the forward part; by what is no step of a chain, or by whom it is kept for */
    int first, last;      /* nodes of the backward part, whose ids are above 0; 0 where there is none */
};

struct recompute {
    struct graph *graph;
    const struct forward_part *forward;
    struct report *report;
    struct reads *reads;  /* by value id */
    struct value **clone; /* by value id; NULL for none */
    int *end;             /* by node id: of the row of steps in which it stands; itself where it is none */
};

/* -- who reads -- */

static void note_readers(const struct recompute *c, const struct node *n)
{
    const bool forward = (size_t)n->id < c->forward->nodes;
    struct chain_step step;
    const bool is_step = !forward && pass_step(n, &step);

    for (int k = 0; k < n->inputs + n->captured; k++) {
        struct reads *r = n->in[k] ? &c->reads[n->in[k]->id] : NULL;

        if (!r)
            continue;
        r->forward |= forward;
        if (forward)
            continue;
        r->others |= !is_step;
        r->first = r->first ? r->first : n->id;
        r->last = n->id;
    }
}

/* A view that is read later keeps what it looks at. */
static void note_views(const struct recompute *c, const struct node *n)
{
    bool is_read = false;

    for (int o = 0; o < n->slots; o++) {
        const struct value *v = n->out[o];

        is_read |= v && (size_t)v->id < c->forward->values && c->forward->types->places[v->id].kind == PLACE_VIEW &&
                   (c->reads[v->id].first || c->reads[v->id].others);
    }
    for (int k = 0; is_read && k < n->inputs; k++)
        if (n->in[k])
            c->reads[n->in[k]->id].others = true;
}

static void find_reads(const struct recompute *c)
{
    const struct graph *g = c->graph;
    struct chain_step step;

    for (size_t k = g->node_count; k-- > 0;) {
        const bool goes_on =
            k + 1 < g->node_count && pass_step(g->nodes[k], &step) && pass_step(g->nodes[k + 1], &step);

        c->end[k] = goes_on ? c->end[k + 1] : (int)k;
    }
    for (size_t k = 0; k < g->node_count; k++)
        note_readers(c, g->nodes[k]);
    for (size_t k = 0; k < g->output_count; k++)
        c->reads[g->outputs[k]->id].others = true;
    for (size_t k = c->forward->nodes; k-- > 0;)
        note_views(c, g->nodes[k]);
}

/* -- what is made again -- */

struct attempt {
    struct value *value[STEPS]; /* the one that it is about, and what that needs */
    int count, costly;
    int at;        /* the node that reads it first */
    int64_t bytes; /* its */
};

static const struct tensor *type_of(const struct recompute *c, const struct value *v)
{
    const struct tensor *t = (size_t)v->id < c->forward->values ? &c->forward->types->types[v->id] : NULL;

    return t && t->kind == TENSOR && tensor_known(t) ? t : NULL;
}

/* Is it made by a step of the forward part? */
static bool is_made_by_step(const struct recompute *c, const struct value *v, struct chain_step *step)
{
    const struct tensor *t = type_of(c, v);

    return v->producer && (size_t)v->producer->id < c->forward->nodes && t && t->dtype == F32 && !t->data &&
           pass_step(v->producer, step);
}

/* Is it in memory when the backward part comes to the first reader of the value, or can it be at no cost? */
static bool is_there(const struct recompute *c, const struct attempt *a, const struct value *v)
{
    const struct tensor *t = type_of(c, v);
    const struct reads *r = &c->reads[v->id];

    for (int k = 0; k < a->count; k++)
        if (a->value[k] == v)
            return true;
    if (c->clone[v->id])
        return c->end[r->first] == c->end[a->at];
    return !v->producer || (r->last && c->end[r->last] >= a->at) ||
           (t && (t->data || tensor_bytes(t) <= a->bytes / SMALL));
}

/* No deeper than STEPS. */
static bool make_again(const struct recompute *c, struct attempt *a, struct value *v)
{
    const struct node *n = v->producer;
    struct chain_step step;

    if (a->count == STEPS || !is_made_by_step(c, v, &step))
        return false;
    a->value[a->count++] = v;
    if (step.formula->work >= EXPONENTIAL && (a->costly++ || a->bytes < LARGE))
        return false;
    for (int k = 0; k < n->inputs; k++) {
        struct value *in = n->in[k];

        if (in && !is_there(c, a, in) && (c->reads[in->id].first || c->reads[in->id].others || !make_again(c, a, in)))
            return false;
    }
    return true;
}

/* Is it worth the attempt? */
static bool begin(const struct recompute *c, struct attempt *a, const struct value *v)
{
    const struct reads *r = &c->reads[v->id];
    const struct tensor *t = type_of(c, v);

    *a = (struct attempt){ .at = r->first, .bytes = t ? tensor_bytes(t) : 0 };
    return r->forward && r->first && !r->others && a->bytes >= BIG;
}

/* What only the clones read is read where the value is. */
static bool accept(const struct recompute *c, const struct attempt *a)
{
    for (int k = 0; k < a->count; k++) {
        const int id = a->value[k]->id;

        c->clone[id] = graph_value(c->graph, NULL);
        if (!c->clone[id])
            return false;
        if (!c->reads[id].first)
            c->reads[id].first = c->reads[id].last = a->at;
    }
    return true;
}

/* From the first node on, so that it is decided already what becomes of that of which a value is made. */
static bool choose(const struct recompute *c)
{
    for (size_t k = 0; k < c->forward->nodes; k++) {
        const struct node *n = c->graph->nodes[k];
        struct value *v = n->slots ? n->out[0] : NULL;
        struct attempt a;

        if (v && begin(c, &a, v) && make_again(c, &a, v) && !accept(c, &a))
            return false;
    }
    return true;
}

/* -- the clones -- */

static void read_clones(const struct recompute *c, struct node *n)
{
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] && c->clone[n->in[k]->id])
            n->in[k] = c->clone[n->in[k]->id];
}

static struct node *clone_node(const struct recompute *c, const struct node *n)
{
    struct node *m = graph_node(c->graph, n->inputs, n->slots);
    struct value **in, **out;

    if (!m)
        return NULL;
    in = m->in;
    out = m->out;
    memcpy(in, n->in, (size_t)n->inputs * sizeof(struct value *));
    out[0] = c->clone[n->out[0]->id];
    out[0]->producer = m;
    *m = *n;
    m->index = -1;
    m->in = in;
    m->out = out;
    read_clones(c, m);
    return m;
}

/* A clone stands before the first of its readers, and those may be clones. before[k] begins a list of the clones that
 * go before node k, in the order of the nodes that they were made of, whose ids they have until they get their own:
 * next[] goes by these. */
static bool make_clones(const struct recompute *c, size_t nodes, struct node **before, struct node **next)
{
    for (size_t k = c->forward->nodes; k-- > 0;) {
        const struct node *n = c->graph->nodes[k];
        struct value *v = n->slots ? n->out[0] : NULL;
        const int at = v ? c->reads[v->id].first : 0;
        struct node *m;

        if (!v || !c->clone[v->id])
            continue;
        m = clone_node(c, n);
        if (!m)
            return false;
        next[k] = before[at];
        before[at] = m;
        m->id = (int)k;
        for (int i = 0; i < n->inputs; i++)
            if (n->in[i] && c->reads[n->in[i]->id].first > at)
                c->reads[n->in[i]->id].first = at;
    }
    for (size_t k = c->forward->nodes; k < nodes; k++)
        read_clones(c, c->graph->nodes[k]);
    return true;
}

static bool add_clones(const struct recompute *c)
{
    struct graph *g = c->graph;
    const size_t nodes = g->node_count;
    struct node **before = arena_array(g->arena, nodes, sizeof *before, c->report),
                **next = arena_array(g->arena, c->forward->nodes, sizeof *next, c->report),
                **old = arena_array(g->arena, nodes, sizeof *old, c->report);
    size_t count = 0;

    if (!before || !next || !old)
        return false;
    memcpy(old, g->nodes, nodes * sizeof(struct node *));
    if (!make_clones(c, nodes, before, next))
        return false;
    for (size_t k = 0; k < nodes; k++) {
        for (struct node *m = before[k]; m; m = next[m->id])
            g->nodes[count++] = m;
        g->nodes[count++] = old[k];
    }
    for (size_t k = 0; k < count; k++)
        g->nodes[k]->id = (int)k;
    return true;
}

bool pass_recompute(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct recompute c = { .graph = g,
                                 .forward = w->forward,
                                 .report = r,
                                 .reads = arena_array(g->arena, g->value_count, sizeof *c.reads, r),
                                 .clone = arena_array(g->arena, g->value_count, sizeof *c.clone, r),
                                 .end = arena_array(g->arena, g->node_count, sizeof *c.end, r) };

    if (!c.reads || !c.clone || !c.end)
        return false;
    find_reads(&c);
    return choose(&c) && add_clones(&c);
}
