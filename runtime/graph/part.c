/* A part of a graph as a graph of its own. */
#include "graph/graph.h"

struct part {
    struct graph *g, *body;
    size_t nodes;          /* of g, that are looked at */
    struct value *to;      /* what is made */
    bool *cut;             /* by value id: an input of the part */
    bool *depends, *whole; /* on an input; on nothing but constants, and it is one that never trains */
    bool *needed;
    bool *kept;        /* by node id */
    struct value **as; /* by value id: what stands for it in the part */
};

/* Constants of integers are never trained: they tell shapes and axes. */
static bool is_told(const struct value *v)
{
    const struct tensor *t = value_constant(v);

    return t && !dtype_is_float(t->dtype);
}

static void look_forward(struct part *p)
{
    for (size_t k = 0; k < p->nodes; k++) {
        const struct node *n = p->g->nodes[k];
        bool depends = false, whole = !n->graphs;

        for (int i = 0; i < n->inputs + n->captured; i++) {
            const struct value *v = n->in[i];

            depends |= v && p->depends[v->id];
            whole &= !v || p->whole[v->id] || is_told(v);
        }
        for (int o = 0; o < n->slots; o++)
            if (n->out[o] && !p->cut[n->out[o]->id]) {
                const enum dtype dtype = n->out[o]->known.dtype;

                p->depends[n->out[o]->id] = depends;
                p->whole[n->out[o]->id] = whole && dtype != UNDEFINED && !dtype_is_float(dtype);
            }
    }
}

static void look_back(struct part *p)
{
    p->needed[p->to->id] = true;
    for (size_t k = p->nodes; k-- > 0;) {
        const struct node *n = p->g->nodes[k];
        bool kept = false;

        for (int o = 0; o < n->slots; o++) {
            const int id = n->out[o] ? n->out[o]->id : 0;

            kept |= n->out[o] && p->needed[id] && !p->cut[id] && (p->depends[id] || p->whole[id]);
        }
        p->kept[k] = kept;
        for (int i = 0; i < n->inputs + n->captured && kept; i++)
            if (n->in[i])
                p->needed[n->in[i]->id] = true;
    }
}

/* What stands for a value that a node of the part reads. */
static struct value *inside(struct part *p, struct value *v)
{
    struct value **as = &p->as[v->id];

    if (*as)
        return *as;
    *as = is_told(v) ? graph_value(p->body, v->name) : graph_capture(p->body, v);
    if (*as && is_told(v))
        (*as)->initializer = v->initializer;
    return *as;
}

static bool copy_values(struct part *p, const struct node *from, struct node *n)
{
    for (int i = 0; i < from->inputs + from->captured; i++)
        if (from->in[i] && !(n->in[i] = inside(p, from->in[i])))
            return false;
    for (int o = 0; o < from->slots; o++) {
        struct value *old = from->out[o], *v;

        if (!old)
            continue;
        v = graph_value(p->body, old->name);
        if (!v)
            return false;
        v->known = old->known;
        v->producer = n;
        n->out[o] = v;
        if (!p->cut[old->id]) /* else it is made, and nobody reads it */
            p->as[old->id] = v;
    }
    return true;
}

static bool copy_node(struct part *p, const struct node *from)
{
    struct node *n = graph_node(p->body, from->inputs + from->captured, from->slots);
    struct value **in, **out;
    struct graph **graphs;
    int id;

    if (!n)
        return false;
    graphs = arena_array(p->body->arena, (size_t)from->graphs, sizeof *graphs, p->body->report);
    in = n->in;
    out = n->out;
    id = n->id;
    *n = *from;
    n->in = in;
    n->out = out;
    n->id = id;
    n->graph = p->body;
    n->graph_of = graphs;
    n->graphs = 0;
    if (!graphs || !copy_values(p, from, n))
        return false;
    for (int s = 0; s < from->graphs; s++) {
        graphs[s] = graph_copy_into(p->body, from->graph_of[s], p->as);
        if (!graphs[s])
            return false;
        n->graphs++;
    }
    return true;
}

static bool make(struct part *p, size_t count, struct value *const *from)
{
    for (size_t k = 0; k < count; k++) {
        struct value *v = graph_value(p->body, from[k]->name);

        if (!v || !graph_add_input(p->body, v))
            return false;
        p->as[from[k]->id] = v;
    }
    for (size_t k = 0; k < p->nodes; k++)
        if (p->kept[k] && !copy_node(p, p->g->nodes[k]))
            return false;
    return inside(p, p->to) && graph_add_output(p->body, inside(p, p->to));
}

static bool begin(struct part *p, struct arena *scratch, struct report *r)
{
    const size_t values = p->g->value_count;

    p->cut = arena_array(scratch, values, sizeof *p->cut, r);
    p->depends = arena_array(scratch, values, sizeof *p->depends, r);
    p->whole = arena_array(scratch, values, sizeof *p->whole, r);
    p->needed = arena_array(scratch, values, sizeof *p->needed, r);
    p->kept = arena_array(scratch, p->nodes, sizeof *p->kept, r);
    p->as = arena_array(scratch, values, sizeof(struct value *), r);
    return p->cut && p->depends && p->whole && p->needed && p->kept && p->as;
}

struct graph *graph_part(struct graph *g, size_t nodes, size_t count, struct value *const *from, struct value *to,
                         bool *reaches)
{
    struct arena scratch = { .budget = g->arena->budget };
    struct part p = { .g = g, .nodes = nodes, .to = to };
    const char *path = arena_printf(g->arena, g->report, "%s/%s", g->path, to->name);
    bool ok = path && begin(&p, &scratch, g->report) && (p.body = graph_new(g->arena, g, path, g->report));

    if (ok) {
        for (size_t k = 0; k < count; k++)
            p.cut[from[k]->id] = p.depends[from[k]->id] = true;
        look_forward(&p);
        look_back(&p);
        for (size_t k = 0; k < count; k++)
            reaches[k] = p.needed[from[k]->id];
        p.body->streams = g->streams;
        ok = make(&p, count, from);
    }
    arena_release(&scratch);
    if (ok)
        return p.body;
    graph_release(p.body);
    return NULL;
}
