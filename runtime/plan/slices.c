#include "plan/slices.h"
#include "base/pool.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/rows.h"
#include <string.h>

/* Bytes that a node reads and writes: in rows, of one of them; in what is whole, its weights. */
struct traffic {
    int64_t row, whole;
};

/* What is known while slices are looked for. */
struct search {
    struct slices *s;
    const struct program *whole;
    const struct plan_context *c;
    struct arena scratch;
    bool *in_head;           /* by node id */
    struct traffic *traffic; /* by node id */
    size_t nodes;            /* of the head */
    int *viewed;             /* by value id: whose memory it looks at */
    bool *is_edge;           /* by value id */
};

/* -- the head -- */

static const struct tensor *type_of(const struct search *f, const struct value *v)
{
    return &f->whole->types[v->id];
}

static bool has_batch(const struct search *f, const struct tensor *t)
{
    return t->kind == TENSOR && t->rank > 0 && tensor_known(t) && t->dims[0] == f->s->batch &&
           dtype_size(t->dtype) > 0 && t->dtype != STRING && tensor_bytes(t) >= 0;
}

/* In the head what moves nothing is a view of its first input. */
static bool is_view(const struct node *n)
{
    return !n->def->run;
}

/* Does anybody read output k? The whole has no type for it else. */
static bool makes(const struct search *f, const struct node *n, int k)
{
    return n->out[k] && type_of(f, n->out[k])->dtype != UNDEFINED;
}

/* Does the node treat rows by themselves, those that it makes of rows that the head has? What is whole must be there
 * before anything runs. */
static bool is_apart(const struct search *f, const struct node *n, struct traffic *w)
{
    enum { MOST = 32 };
    const struct tensor *types[MOST];
    bool rows[MOST], any = false;

    *w = (struct traffic){ 0 };
    if (!f->whole->done[n->id] || n->graphs || n->captured || n->inputs > MOST || n->def->flags & OP_RANDOM ||
        !(n->def->batch_independent || node_elementwise(n)))
        return false;
    for (int k = 0; k < n->inputs; k++) {
        types[k] = n->in[k] ? type_of(f, n->in[k]) : NULL;
        rows[k] = n->in[k] && f->s->rows[n->in[k]->id];
        any |= rows[k];
        if (!n->in[k])
            continue;
        if (!rows[k] && (n->in[k]->producer || !tensor_known(types[k]) || tensor_bytes(types[k]) < 0))
            return false;
        *(rows[k] ? &w->row : &w->whole) += tensor_bytes(types[k]) / (rows[k] ? f->s->batch : 1);
    }
    for (int k = 0; k < n->slots; k++)
        if (makes(f, n, k) && !has_batch(f, type_of(f, n->out[k])))
            return false;
        else if (makes(f, n, k))
            w->row += tensor_bytes(type_of(f, n->out[k])) / f->s->batch;
    if (is_view(n))
        *w = (struct traffic){ 0 };
    return any && (n->def->batch_independent ? n->def->batch_independent : rows_of_elements)(n, types, rows);
}

/* Marks the head, of nodes before `end`; returns the most bytes of one row that a node of it reads and writes. */
static int64_t find_head(struct search *f, size_t end)
{
    const struct graph *g = f->whole->graph;
    int64_t most = 0;

    f->nodes = 0;
    for (size_t k = 0; k < g->value_count; k++)
        f->s->rows[k] = g->values[k]->is_input && !g->values[k]->initializer && has_batch(f, type_of(f, g->values[k]));
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        f->in_head[k] = k < end && is_apart(f, n, &f->traffic[k]);
        if (!f->in_head[k])
            continue;
        most = greater(most, f->traffic[k].row);
        f->nodes += !is_view(n);
        for (int o = 0; o < n->slots; o++)
            if (n->out[o])
                f->s->rows[n->out[o]->id] = true;
    }
    return most;
}

/* Where the head should end: what stays near in a slice is saved, weights are read again by each slice but one, where
 * they meet few rows. */
static size_t best_end(const struct search *f)
{
    static const double AGAIN = 2; /* bytes that are saved, for a byte of weights: measured */
    double saved = 0, most = 0;
    size_t best = 0;

    for (size_t k = 0; k < f->whole->graph->node_count; k++) {
        const struct traffic *w = &f->traffic[k];

        if (f->in_head[k])
            saved += (double)f->s->batch * (double)w->row - AGAIN * (double)(f->s->count - 1) * (double)w->whole;
        if (saved > most) {
            most = saved;
            best = k + 1;
        }
    }
    return best;
}

/* Slices whose rows stay near; false where all of them do, or where nothing would be read that was made in one. */
static bool cut(struct search *f)
{
    enum { NEAR = CORE_CACHE, FAR = 4 * CORE_CACHE, FEWEST = 2 };
    struct slices *s = f->s;
    const int64_t most = find_head(f, f->whole->graph->node_count), slice = most > 0 ? greater(NEAR / most, 1) : 0;

    if (slice == 0 || slice >= s->batch || most < FAR / s->batch)
        return false;
    s->count = divide_up(s->batch, slice);
    find_head(f, best_end(f));
    return f->nodes >= FEWEST;
}

/* -- what it leaves -- */

static bool is_made(const struct search *f, const struct value *v)
{
    return f->s->rows[v->id] && v->producer;
}

/* The tail takes a view again by itself, so what it is a view of is left to it, if that is not there anyway. */
static void add_edge(struct search *f, const struct value *v)
{
    struct slices *s = f->s;

    v = f->whole->graph->values[f->viewed[v->id]];
    if (!is_made(f, v) || f->is_edge[v->id] || type_of(f, v)->dtype == UNDEFINED)
        return;
    f->is_edge[v->id] = true;
    s->edges[s->edge_count] = (struct edge){ v->id, *type_of(f, v) };
    s->edges[s->edge_count].type.data = NULL;
    s->head.outputs[s->edge_count++] = f->whole->graph->values[v->id];
}

/* By value id: itself or, through views that the head makes, what it is a view of. */
static void find_viewed(struct search *f)
{
    const struct graph *g = f->whole->graph;

    for (size_t k = 0; k < g->value_count; k++)
        f->viewed[k] = (int)k;
    for (size_t k = 0; k < g->node_count; k++)
        for (int o = 0; is_view(g->nodes[k]) && o < g->nodes[k]->slots; o++)
            if (g->nodes[k]->out[o] && is_made(f, g->nodes[k]->out[o]))
                f->viewed[g->nodes[k]->out[o]->id] = f->viewed[g->nodes[k]->in[0]->id];
}

/* Values of the head that other nodes read, or the caller. */
static void find_edges(struct search *f)
{
    const struct graph *g = f->whole->graph;
    struct slices *s = f->s;

    find_viewed(f);
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++) {
            const struct value *v = g->nodes[k]->in[i];

            if (v && f->in_head[k])
                s->reads[v->id] = true;
            else if (v)
                add_edge(f, v);
        }
    for (size_t k = 0; k < g->output_count; k++)
        add_edge(f, g->outputs[k]);
    s->head.output_count = s->edge_count;
}

/* -- programs -- */

struct tensor slice_of(const struct slices *s, const struct tensor *whole, int64_t from, int64_t to)
{
    struct tensor t = *whole;

    t.dims[0] = to - from;
    if (t.data)
        t.data = (char *)t.data + from * (tensor_bytes(whole) / s->batch);
    return t;
}

/* A program for so many rows; NULL where it does not come to what is expected, so that the graph cannot be run so. */
static struct program *plan_slice(struct search *f, const struct tensor *given, int64_t rows)
{
    const struct graph *g = f->whole->graph;
    const struct slices *s = f->s;
    struct plan_context c = *f->c;
    struct tensor *types = arena_array(&f->scratch, g->value_count, sizeof *types, c.report);
    struct program *p;
    bool fits;

    for (size_t k = 0; types && k < g->value_count; k++)
        types[k] = s->rows[k] && !g->values[k]->producer ? slice_of(s, &given[k], 0, rows) : given[k];
    c.slicing = SLICES_NONE;
    c.threads = s->together ? c.threads : 1;
    p = types ? plan_program(&s->head, NULL, types, NULL, &c) : NULL;
    fits = p && p->complete;
    for (size_t k = 0; fits && k < s->edge_count; k++) {
        const struct tensor need = slice_of(s, &s->edges[k].type, 0, rows);

        fits = same_type(&p->types[s->edges[k].id], &need);
    }
    if (fits)
        return p;
    program_free(p);
    return NULL;
}

/* Threads on slices of their own do not wait for each other, but are done together only if there are enough slices. */
static void choose_threads(const struct search *f)
{
    struct slices *s = f->s;
    const int64_t threads = f->c->threads, turns = divide_up(s->count, threads);

    s->slicing = f->c->slicing;
    s->together = s->slicing == SLICES_TOGETHER || threads == 1 || 4 * s->count < 3 * turns * threads;
}

/* Slices have one of two sizes. */
static bool plan_slices(struct search *f, const struct tensor *given)
{
    struct slices *s = f->s;
    const int64_t rows = s->batch / s->count;

    choose_threads(f);
    s->program[0] = plan_slice(f, given, rows);
    if (!s->program[0] || s->batch % s->count == 0)
        return s->program[0];
    s->program[1] = plan_slice(f, given, rows + 1);
    return s->program[1];
}

/* -- all of it -- */

/* The first dimension of the first input. */
static int64_t batch_of(const struct program *p)
{
    const struct tensor *t = p->graph->input_count ? &p->types[p->graph->inputs[0]->id] : NULL;

    return t && t->kind == TENSOR && t->rank > 0 ? t->dims[0] : 0;
}

static bool allocate(struct search *f)
{
    const size_t values = f->whole->graph->value_count, nodes = f->whole->graph->node_count;
    struct report *r = f->c->report;
    struct slices *s = f->s;

    s->rows = arena_array(&s->arena, values, sizeof *s->rows, r);
    s->reads = arena_array(&s->arena, values, sizeof *s->reads, r);
    s->edges = arena_array(&s->arena, values, sizeof *s->edges, r);
    s->head = *f->whole->graph;
    s->head.outputs = arena_array(&s->arena, values, sizeof(struct value *), r);
    f->in_head = arena_array(&f->scratch, nodes, sizeof *f->in_head, r);
    f->traffic = arena_array(&f->scratch, nodes, sizeof *f->traffic, r);
    f->viewed = arena_array(&f->scratch, values, sizeof *f->viewed, r);
    f->is_edge = arena_array(&f->scratch, values, sizeof *f->is_edge, r);
    return s->rows && s->reads && s->edges && s->head.outputs && f->in_head && f->traffic && f->viewed && f->is_edge;
}

struct slices *slices_find(const struct program *whole, const struct tensor *given, const struct plan_context *c)
{
    const int64_t batch = batch_of(whole);
    struct report quiet = { 0 };
    struct plan_context own = *c;
    struct search f = { .whole = whole, .c = &own, .scratch.budget = c->budget };
    bool found;

    own.report = &quiet;
    f.s = batch > 1 ? budget_zalloc(c->budget, 1, sizeof *f.s, &quiet) : NULL;
    if (!f.s)
        return NULL;
    f.s->arena.budget = c->budget;
    f.s->batch = batch;
    found = allocate(&f) && cut(&f);
    if (found)
        find_edges(&f);
    found = found && plan_slices(&f, given);
    arena_release(&f.scratch);
    if (found)
        return f.s;
    slices_free(f.s);
    return NULL;
}

void slices_free(struct slices *s)
{
    struct budget *b;

    if (!s)
        return;
    b = s->arena.budget;
    program_free(s->program[0]);
    program_free(s->program[1]);
    arena_release(&s->arena);
    budget_free(b, s);
}
