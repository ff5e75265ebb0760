#include "run/slices.h"
#include "base/text.h"
#include "kernels/parts.h"
#include "ops/rows.h"
#include "plan/describe.h"
#include <stdatomic.h>
#include <string.h>

struct edge { /* what the head makes and others read, of all rows */
    const struct value *value;
    struct tensor whole;
};

/* Bytes that a node reads and writes: in rows, of one of them; in what is whole, its weights. */
struct traffic {
    int64_t row, whole;
};

struct slices {
    struct engine *engine;
    const struct graph *graph;
    struct arena arena;
    struct program *types;   /* of the whole batch */
    bool *rows;              /* by value id: is it of the head, or an input, and has a row for each of the batch? */
    bool *in_head;           /* by node id */
    bool *keeps;             /* by value id: weights that the head reads */
    struct traffic *traffic; /* by node id */
    size_t nodes;            /* of the head */
    int64_t batch, count;
    struct graph head; /* the same, but what it is asked for are the edges */
    struct edge *edges;
    size_t edge_count;
    size_t *edge_of;         /* by value id: which one it is, counted from 1; 0: none */
    int *viewed;             /* by value id: whose memory it looks at */
    bool together, profiled; /* one slice after the other, each by all threads */
    struct pool *alone;      /* of one thread, for all heads that do not run together; else NULL */
    struct frame **heads;    /* one, or one for each thread */
    int head_count;
    struct frame *tail; /* NULL: there is none */
};

struct run { /* of all slices */
    struct slices *slices;
    const struct frame *given;
    struct report *reports; /* by thread */
    _Atomic bool failed;
};

/* -- the head -- */

static const struct tensor *type_of(const struct slices *s, const struct value *v)
{
    return &s->types->types[v->id];
}

static bool has_batch(const struct slices *s, const struct tensor *t)
{
    return t->kind == TENSOR && t->rank > 0 && tensor_known(t) && t->dims[0] == s->batch && dtype_size(t->dtype) > 0 &&
           t->dtype != STRING && tensor_bytes(t) >= 0;
}

/* In the head what moves nothing is a view of its first input. */
static bool is_view(const struct node *n)
{
    return !n->def->run;
}

/* Does the node treat rows by themselves, those that it makes of rows that the head has? What is whole must be there
 * before anything runs. */
static bool is_apart(const struct slices *s, const struct node *n, struct traffic *w)
{
    enum { MOST = 32 };
    const struct tensor *types[MOST];
    bool rows[MOST], any = false;

    *w = (struct traffic){ 0 };
    if (n->graphs || n->captured || n->inputs > MOST || n->def->flags & OP_RANDOM ||
        !(n->def->batch_independent || node_elementwise(n)))
        return false;
    for (int k = 0; k < n->inputs; k++) {
        types[k] = n->in[k] ? type_of(s, n->in[k]) : NULL;
        rows[k] = n->in[k] && s->rows[n->in[k]->id];
        any |= rows[k];
        if (!n->in[k])
            continue;
        if (!rows[k] && (n->in[k]->producer || !tensor_known(types[k]) || tensor_bytes(types[k]) < 0))
            return false;
        *(rows[k] ? &w->row : &w->whole) += tensor_bytes(types[k]) / (rows[k] ? s->batch : 1);
    }
    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && !has_batch(s, type_of(s, n->out[k])))
            return false;
        else if (n->out[k])
            w->row += tensor_bytes(type_of(s, n->out[k])) / s->batch;
    if (is_view(n))
        *w = (struct traffic){ 0 };
    return any && (n->def->batch_independent ? n->def->batch_independent : rows_of_elements)(n, types, rows);
}

/* Marks the head, of nodes before `end`; returns the most bytes of one row that a node of it reads and writes. */
static int64_t find_head(struct slices *s, size_t end)
{
    const struct graph *g = s->graph;
    int64_t most = 0;

    s->nodes = 0;
    for (size_t k = 0; k < g->value_count; k++)
        s->rows[k] = g->values[k]->is_input && !g->values[k]->initializer && has_batch(s, type_of(s, g->values[k]));
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        s->in_head[k] = k < end && is_apart(s, n, &s->traffic[k]);
        if (!s->in_head[k])
            continue;
        most = greater(most, s->traffic[k].row);
        s->nodes += !is_view(n);
        for (int o = 0; o < n->slots; o++)
            if (n->out[o])
                s->rows[n->out[o]->id] = true;
    }
    return most;
}

/* Where the head should end: what stays near in a slice is saved, weights are read again by each slice but one, where
 * they meet few rows. */
static size_t best_end(const struct slices *s)
{
    static const double AGAIN = 2; /* bytes that are saved, for a byte of weights: measured */
    double saved = 0, most = 0;
    size_t best = 0;

    for (size_t k = 0; k < s->graph->node_count; k++) {
        const struct traffic *w = &s->traffic[k];

        if (s->in_head[k])
            saved += (double)s->batch * (double)w->row - AGAIN * (double)(s->count - 1) * (double)w->whole;
        if (saved > most) {
            most = saved;
            best = k + 1;
        }
    }
    return best;
}

/* Slices whose rows stay near; false where all of them do, or where nothing would be read that was made in one. */
static bool cut(struct slices *s)
{
    enum { NEAR = 1 << 20, FAR = 1 << 22, FEWEST = 2 };
    const int64_t most = find_head(s, s->graph->node_count), slice = most > 0 ? greater(NEAR / most, 1) : 0;

    if (slice == 0 || slice >= s->batch || most < FAR / s->batch)
        return false;
    s->count = divide_up(s->batch, slice);
    find_head(s, best_end(s));
    return s->nodes >= FEWEST;
}

/* -- what it leaves -- */

static bool is_made(const struct slices *s, const struct value *v)
{
    return s->rows[v->id] && v->producer;
}

/* The tail takes a view again by itself, so what it is a view of is left to it, if that is not there anyway. */
static bool add_edge(struct slices *s, const struct value *v)
{
    struct edge *e = &s->edges[s->edge_count];

    v = s->graph->values[s->viewed[v->id]];
    if (!is_made(s, v) || s->edge_of[v->id])
        return true;
    *e = (struct edge){ v, *type_of(s, v) };
    e->whole.data = budget_alloc_pages(s->engine->budget, (size_t)tensor_bytes(&e->whole), NULL);
    if (e->whole.data)
        s->edge_of[v->id] = ++s->edge_count;
    return e->whole.data;
}

/* By value id: itself or, through views that the head makes, what it is a view of. */
static bool find_viewed(struct slices *s)
{
    const struct graph *g = s->graph;

    s->viewed = arena_array(&s->arena, g->value_count, sizeof *s->viewed, NULL);
    for (size_t k = 0; s->viewed && k < g->value_count; k++)
        s->viewed[k] = (int)k;
    for (size_t k = 0; s->viewed && k < g->node_count; k++)
        for (int o = 0; is_view(g->nodes[k]) && o < g->nodes[k]->slots; o++)
            if (g->nodes[k]->out[o] && is_made(s, g->nodes[k]->out[o]))
                s->viewed[g->nodes[k]->out[o]->id] = s->viewed[g->nodes[k]->in[0]->id];
    return s->viewed;
}

/* Values of the head that other nodes read, or the caller. `tail`: is there anything else to be run? */
static bool find_edges(struct slices *s, bool *tail)
{
    const struct graph *g = s->graph;
    struct value **outputs;

    *tail = false;
    s->edges = arena_array(&s->arena, g->value_count, sizeof *s->edges, NULL);
    s->edge_of = arena_array(&s->arena, g->value_count, sizeof *s->edge_of, NULL);
    s->keeps = arena_array(&s->arena, g->value_count, sizeof *s->keeps, NULL);
    if (!s->edges || !s->edge_of || !s->keeps || !find_viewed(s))
        return false;
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++) {
            const struct value *v = g->nodes[k]->in[i];

            if (v && s->in_head[k])
                s->keeps[v->id] = true;
            else if (v && !add_edge(s, v))
                return false;
        }
    for (size_t k = 0; k < g->output_count; k++) {
        if (!add_edge(s, g->outputs[k]))
            return false;
        *tail |= !s->edge_of[g->outputs[k]->id];
    }
    s->head = *g;
    outputs = arena_array(&s->arena, s->edge_count, sizeof(struct value *), NULL);
    for (size_t k = 0; outputs && k < s->edge_count; k++)
        outputs[k] = g->values[s->edges[k].value->id];
    s->head.outputs = outputs;
    s->head.output_count = s->edge_count;
    return outputs;
}

/* -- frames -- */

static void set_inputs(const struct slices *s, struct frame *f, const struct frame *given)
{
    for (size_t k = 0; k < s->graph->value_count; k++) {
        const struct value *v = s->graph->values[k];

        if (v->is_input)
            frame_set(f, v, frame_get(given, v));
    }
}

static int64_t row_bytes(const struct slices *s, const struct tensor *whole)
{
    return tensor_bytes(whole) / s->batch;
}

static struct tensor some_rows(const struct slices *s, const struct tensor *whole, int64_t from, int64_t to)
{
    struct tensor t = *whole;

    t.dims[0] = to - from;
    if (t.data)
        t.data = (char *)t.data + from * row_bytes(s, whole);
    return t;
}

/* Slice i; data only where `given` has some. */
static void set_rows(const struct slices *s, struct frame *f, const struct frame *given, int64_t i)
{
    for (size_t k = 0; k < s->graph->input_count; k++) {
        const struct value *v = s->graph->inputs[k];

        if (s->rows[v->id]) {
            const struct tensor t =
                some_rows(s, frame_get(given, v), s->batch * i / s->count, s->batch * (i + 1) / s->count);

            frame_set(f, v, &t);
        }
    }
}

/* Plans slice i; false where it does not come to what is expected, so that the graph cannot be run so. */
static bool plan_slice(const struct slices *s, struct frame *f, const struct frame *given, int64_t i)
{
    const int64_t rows = s->batch * (i + 1) / s->count - s->batch * i / s->count;
    struct report r = { 0 };
    const struct program *p;

    set_rows(s, f, given, i);
    p = frame_plan(f, &r);
    if (!p || !p->complete)
        return false;
    for (size_t k = 0; k < s->edge_count; k++) {
        const struct tensor *t = &p->types[s->edges[k].value->id];
        const struct tensor need = some_rows(s, &s->edges[k].whole, 0, rows);

        if (!same_type(t, &need))
            return false;
    }
    return true;
}

/* Slices have one of two sizes. */
static bool plan_slices(const struct slices *s, struct frame *f, const struct frame *given)
{
    const int64_t first = s->batch / s->count;

    set_inputs(s, f, given);
    if (!plan_slice(s, f, given, 0))
        return false;
    for (int64_t i = 1; i < s->count; i++)
        if (s->batch * (i + 1) / s->count - s->batch * i / s->count != first)
            return plan_slice(s, f, given, i);
    return true;
}

/* Threads on slices of their own do not wait for each other, but are done together only if there are enough slices. */
static void choose_threads(struct slices *s)
{
    const int64_t threads = pool_threads(s->engine->pool), turns = divide_up(s->count, threads);

    s->profiled = s->engine->profile;
    s->together = s->profiled || threads == 1 || 4 * s->count < 3 * turns * threads;
    s->head_count = s->together ? 1 : (int)threads;
}

static void set_edges(const struct slices *s, const struct frame *given)
{
    set_inputs(s, s->tail, given);
    for (size_t k = 0; k < s->edge_count; k++)
        frame_set(s->tail, s->edges[k].value, &s->edges[k].whole);
}

/* False where, most likely, memory does not suffice: the whole, in which one value can lie where another was, may need
 * less. */
static bool plan_tail(const struct slices *s, const struct frame *given)
{
    struct report r = { 0 };

    set_edges(s, given);
    return frame_plan(s->tail, &r);
}

static bool make_frames(struct slices *s, const struct frame *given, bool tail, bool forget)
{
    const int wanted = s->head_count;

    if (!s->together && !(s->alone = pool_new(1, s->engine->budget, NULL)))
        return false;
    s->heads = arena_array(&s->arena, (size_t)wanted, sizeof *s->heads, NULL);
    s->head_count = 0;
    while (s->heads && s->head_count < wanted) {
        struct frame *f = frame_new(s->engine, &s->head, NULL);

        if (!f)
            return false;
        s->heads[s->head_count++] = f;
        if (!s->together)
            frame_run_alone(f, s->alone);
        if (!plan_slices(s, f, given))
            return false;
    }
    if (!s->heads || !tail)
        return s->heads;
    s->tail = frame_new(s->engine, s->graph, NULL);
    if (s->tail && forget)
        frame_forget_weights(s->tail, s->keeps);
    return s->tail && plan_tail(s, given);
}

/* -- all of it -- */

/* The first dimension of the first input. */
static int64_t batch_of(const struct graph *g, const struct frame *given)
{
    const struct tensor *t = g->input_count ? frame_get(given, g->inputs[0]) : NULL;

    return t && t->kind == TENSOR && t->rank > 0 ? t->dims[0] : 0;
}

static bool find_types(struct slices *s, const struct frame *given)
{
    const struct graph *g = s->graph;
    struct report r = { 0 };
    const struct plan_context c = { .kernels = s->engine->kernels,
                                    .threads = 1,
                                    .budget = s->engine->budget,
                                    .report = &r,
                                    .exact = s->engine->exact };
    struct tensor *tensors = arena_array(&s->arena, g->value_count, sizeof *tensors, NULL);

    for (size_t k = 0; tensors && k < g->value_count; k++) {
        tensors[k].rank = UNKNOWN;
        if (!g->values[k]->producer)
            tensors[k] = *frame_get(given, g->values[k]);
    }
    s->types = tensors ? plan_types(g, tensors, NULL, &c) : NULL;
    s->rows = arena_array(&s->arena, g->value_count, sizeof *s->rows, NULL);
    s->in_head = arena_array(&s->arena, g->node_count, sizeof *s->in_head, NULL);
    s->traffic = arena_array(&s->arena, g->node_count, sizeof *s->traffic, NULL);
    return s->types && s->rows && s->in_head && s->traffic;
}

struct slices *slices_new(struct engine *e, const struct graph *g, const struct frame *given, bool forget)
{
    const int64_t batch = batch_of(g, given);
    struct slices *s = batch > 1 ? budget_zalloc(e->budget, 1, sizeof *s, NULL) : NULL;
    bool tail;

    if (!s)
        return NULL;
    s->engine = e;
    s->graph = g;
    s->batch = batch;
    s->arena.budget = e->budget;
    if (find_types(s, given) && cut(s) && find_edges(s, &tail)) {
        choose_threads(s);
        if (make_frames(s, given, tail, forget))
            return s;
    }
    slices_free(s);
    return NULL;
}

void slices_free(struct slices *s)
{
    struct budget *b;

    if (!s)
        return;
    b = s->engine->budget;
    for (int k = 0; k < s->head_count && s->heads; k++)
        frame_free(s->heads[k]);
    frame_free(s->tail);
    pool_free(s->alone);
    for (size_t k = 0; k < s->edge_count; k++)
        budget_free_pages(b, s->edges[k].whole.data, (size_t)tensor_bytes(&s->edges[k].whole));
    program_free(s->types);
    arena_release(&s->arena);
    budget_free(b, s);
}

bool slices_fit(const struct slices *s, const struct frame *given)
{
    for (size_t k = 0; k < s->graph->value_count; k++) {
        const struct value *v = s->graph->values[k];

        if (v->is_input && !same_type(type_of(s, v), frame_get(given, v)))
            return false;
    }
    return s->profiled == (s->engine->profile != NULL);
}

static void run_slice(void *context, int64_t i, int thread)
{
    struct run *const run = context;
    const struct slices *const s = run->slices;
    struct frame *const f = s->heads[s->together ? 0 : thread];
    const int64_t from = s->batch * i / s->count, to = s->batch * (i + 1) / s->count;

    if (atomic_load(&run->failed))
        return;
    set_rows(s, f, run->given, i);
    if (!frame_run(f, &run->reports[thread])) {
        atomic_store(&run->failed, true);
        return;
    }
    for (size_t k = 0; k < s->edge_count; k++) { /* faster than to make it there: what is copied is near */
        const struct edge *e = &s->edges[k];
        const struct tensor rows = some_rows(s, &e->whole, from, to);

        memcpy(rows.data, frame_get(f, e->value)->data, (size_t)tensor_bytes(&rows));
    }
}

static bool run_heads(struct slices *s, const struct frame *given, struct report *r)
{
    struct run run = { .slices = s, .given = given };
    bool told = false;

    run.reports = budget_zalloc(s->engine->budget, (size_t)s->head_count, sizeof *run.reports, r);
    if (!run.reports)
        return false;
    for (int k = 0; k < s->head_count; k++)
        set_inputs(s, s->heads[k], given);
    pool_run(s->together ? NULL : s->engine->pool, s->count, run_slice, &run);
    for (int k = 0; k < s->head_count && !told; k++) {
        const kiln_error *e = &run.reports[k].error;

        told = e->count > 0;
        if (told)
            fail(r, e->code, e->where, "%s", e->message);
    }
    budget_free(s->engine->budget, run.reports);
    return !run.failed && budget_in_time(s->engine->budget, s->graph->path, r);
}

bool slices_run(struct slices *s, const struct frame *given, struct report *r)
{
    if (!run_heads(s, given, r))
        return false;
    if (!s->tail)
        return true;
    set_edges(s, given);
    return frame_run(s->tail, r);
}

bool slices_describe(struct slices *s, const struct frame *given, struct text *out, struct report *r)
{
    const struct program *tail = NULL;

    if (s->tail) {
        set_edges(s, given);
        tail = frame_plan(s->tail, r);
        if (!tail)
            return false;
    }
    text_printf(out, "In %lld slices of the batch, %s:\n", (long long)s->count,
                s->together ? "one after the other" : "each by one thread");
    program_describe(out, frame_program(s->heads[0]));
    if (tail) {
        text_printf(out, "\nThen for all of the batch:\n");
        program_describe(out, tail);
    }
    return true;
}

const struct tensor *slices_get(const struct slices *s, const struct value *v)
{
    return s->edge_of[v->id] ? &s->edges[s->edge_of[v->id] - 1].whole : frame_get(s->tail, v);
}
