/* Gradients through a subgraph that a node runs again and again (Loop): another loop, from the last iteration to the
 * first. Its body computes one iteration again, from the carried values that the forward loop is asked to keep, as scan
 * outputs, and goes back through it. What it carries are the gradients of the carried values, and the sums of those of
 * what every iteration reads: captured values, and carried ones that never change.
 *
 *   forward    c[t + 1], s[t] = body (t, c[t], w)                           kept: t, and of c what is read below
 *   backward   dc[t], dw = dc[t + 1] dbody/dc + ds[t] .., dw + dc[t + 1] dbody/dw + ds[t] ..       t = N - 1 ... 0
 *
 * Of a sequence each iteration reads one element, most often: its gradient is not added up, which would take as long as
 * the sequence in each iteration. What flows to the elements are scan outputs of the backward loop, and what flows to
 * the sequence is made of them at once.
 *
 * What the body carries and no gradient can flow through (counters, conditions) is kept like the rest where the way back
 * reads it. All that is emitted are nodes of the standard, so that types, shapes and memory follow from them. */
#include "grad/iterations.h"
#include "ops/gather.h"
#include <string.h>

/* -- one iteration back -- */

/* The part of what lies one behind the other that is this iteration's. */
static struct value *now_of(struct way *w, struct value *all)
{
    struct value *inner = graph_capture(w->g, all);

    return inner ? emit(&w->e, "Gather", "axis=0", 2, inner, w->at) : NULL;
}

static struct value *zeros(struct emitter *e, enum dtype dtype, const struct tensor *like)
{
    return emit(e, "Expand", "", 2, emit_scalar(e, dtype, 0), emit_ints(e, like->rank, like->dims));
}

/* What flows into the iteration: to its carried values from behind, to its scan outputs from outside. */
static bool add_seeds(struct way *w, struct grad_request *q, struct value **seed, struct value **from)
{
    for (int k = 0; k < w->count; k++)
        if (w->flow[k].carried >= 0) {
            seed[q->seeds] = w->outputs[1 + w->flow[k].carried];
            from[q->seeds++] = w->flow[k].now;
        }
    for (int k = w->it->carried; k < w->it->carried + w->it->scans; k++)
        if (upstream(w->b, k)) {
            seed[q->seeds] = w->outputs[1 + k];
            from[q->seeds] = now_of(w, upstream(w->b, k));
            if (!from[q->seeds++])
                return false;
        }
    return true;
}

/* The inputs of the backward body: number, condition, gradients. Those of the body are made by nodes now. */
static bool renew_inputs(struct way *w)
{
    struct graph *g = w->g;
    struct value *v;

    for (size_t k = 0; k < g->input_count; k++)
        w->inputs[k]->is_input = false;
    g->input_count = 0;
    for (int k = 0; k < CARRIED + w->count; k++) {
        v = graph_value(g, NULL);
        if (!v || !graph_add_input(g, v))
            return false;
        if (k >= CARRIED)
            w->flow[k - CARRIED].now = v;
    }
    w->at = graph_value(g, NULL);
    return w->at;
}

/* What flows to the carried value from this iteration, for the one before: 0 where that is in another stretch of a truncated
 * way. To the first value, which comes from outside, it always flows. */
static struct value *truncated(struct way *w, const struct flow *f, struct value *v)
{
    struct emitter *e = &w->e;
    struct value *zero, *border;

    if (!truncation(w->b) || f->gathers)
        return v;
    zero = emit_scalar(e, I64, 0);
    border = emit(e, "Equal", "", 2, emit(e, "Mod", "", 2, w->at, emit_scalar(e, I64, (double)truncation(w->b))), zero);
    border = emit(e, "And", "", 2, border, emit(e, "Greater", "", 2, w->at, zero));
    return emit(e, "Where", "", 3, border, emit_scalar(e, f->dtype, 0), v);
}

/* The outputs: the condition, and for each gradient its next value. */
static bool renew_outputs(struct way *w, struct value *const *got)
{
    struct graph *g = w->g;

    g->output_count = 0;
    if (!graph_add_output(g, g->inputs[CONDITION]))
        return false;
    for (int k = 0; k < w->count; k++) {
        const struct flow *f = &w->flow[k];
        const struct tensor *t = &w->types[f->inner->id];
        struct value *v = got[k];

        if (f->carried >= 0)
            v = v ? truncated(w, f, v) : zeros(&w->e, f->dtype, t);
        else if (!v)
            v = f->now;
        else
            v = emit(&w->e, "Add", "", 2, f->now, f->dtype == t->dtype ? v : emit_cast(&w->e, v, f->dtype));
        if (!v || !graph_add_output(g, v))
            return false;
    }
    for (int k = 0; k < w->pick_count; k++) {
        const struct pick *x = &w->picks[k];
        const struct tensor *t = &w->types[x->out->id];
        struct value *v = got[w->count + k];

        v = v ? v : zeros(&w->e, t->dtype, t);
        if (!v || !graph_add_output(g, v) || !graph_add_output(g, x->indices))
            return false;
    }
    return true;
}

static bool go_back(struct way *w)
{
    struct arena *a = &w->b->scratch;
    struct report *r = w->b->c->report;
    const size_t count = (size_t)(w->count + w->pick_count), most = count + (size_t)w->it->scans;
    struct value **seed = arena_array(a, most, sizeof *seed, r), **from = arena_array(a, most, sizeof *from, r);
    struct value **wrt = arena_array(a, count, sizeof *wrt, r), **got = arena_array(a, count, sizeof *got, r);
    struct grad_request q = { .graph = w->g,
                              .types = w->types,
                              .seed = seed,
                              .seed_gradient = from,
                              .count = count,
                              .wrt = wrt,
                              .gradient = got,
                              .bptt = w->b->q->bptt };

    if (!seed || !from || !wrt || !got || !renew_inputs(w) || !add_seeds(w, &q, seed, from))
        return false;
    for (int k = 0; k < w->count; k++)
        wrt[k] = w->flow[k].inner;
    for (int k = 0; k < w->pick_count; k++)
        wrt[w->count + k] = w->picks[k].out;
    return grad_build(&q, w->b->c) && renew_outputs(w, got);
}

/* -- what the way back reads -- */

/* The first operator of the graph that draws random numbers; NULL where there is none. Subgraphs nest no deeper than the
 * loader allows, so this may recurse. */
const char *body_draws(const struct graph *g)
{
    const char *found = NULL;

    for (size_t k = 0; k < g->node_count && !found; k++) {
        const struct node *n = g->nodes[k];

        if (n->def->flags & OP_RANDOM)
            found = n->op_name;
        for (int s = 0; s < n->graphs && !found; s++)
            found = body_draws(n->graph_of[s]);
    }
    return found;
}

/* Of a node of the body that draws what is read is kept, the node goes. False where it is none of the body's. */
static bool note_drawn(struct way *w, const struct node *n)
{
    if ((size_t)n->id >= w->nodes || w->was[n->id] != n)
        return false;
    for (int o = 0; o < n->slots; o++)
        if (n->out[o] && w->live[n->out[o]->id])
            w->drawn[w->drawn_count++] = (struct drawn){ .node = n->id, .slot = o, .value = n->out[o] };
    return true;
}

/* Nodes that nobody reads go, and with them what only they read from outside. */
static bool drop_dead(struct way *w)
{
    struct graph *g = w->g;
    size_t count = 0;

    w->live = arena_array(&w->b->scratch, g->value_count, sizeof *w->live, w->b->c->report);
    w->drawn = arena_array(&w->b->scratch, g->value_count, sizeof *w->drawn, w->b->c->report);
    if (!w->live || !w->drawn)
        return false;
    for (size_t k = 0; k < g->output_count; k++)
        w->live[g->outputs[k]->id] = true;
    for (size_t k = g->node_count; k-- > 0;) {
        struct node *n = g->nodes[k];
        bool read = false;

        for (int o = 0; o < n->slots; o++)
            read |= n->out[o] && w->live[n->out[o]->id];
        if (read && n->def->flags & OP_RANDOM)
            read = !note_drawn(w, n);
        for (int i = 0; i < n->inputs + n->captured && read; i++)
            if (n->in[i])
                w->live[n->in[i]->id] = true;
        for (int s = 0; s < n->graphs && !read; s++)
            if (n->graph_of[s]->parent == g)
                graph_release(n->graph_of[s]);
        n->id = read ? n->id : -1;
    }
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->id >= 0) {
            g->nodes[k]->id = (int)count;
            g->nodes[count++] = g->nodes[k];
        }
    g->node_count = count;
    graph_keep_captures(g, w->live);
    return true;
}

/* A value that the forward loop gives for what its body has, or NULL. */
static struct value *add_scan(struct way *w, struct node *n, struct graph *body, struct value *inner)
{
    struct value *v = inner && graph_add_output(body, inner) ? graph_value(w->b->e.graph, NULL) : NULL;

    if (v)
        v->producer = n;
    return v;
}

/* Another body for the forward loop, with what is to be kept as further scan outputs: their number; -1 on an error. */
static int add_kept(struct way *w, struct node *n, struct graph *body)
{
    int more = 0;

    for (int k = 0; k < CARRIED + w->it->carried; k++) {
        if (k != ITERATION && (k < CARRIED || !w->live[w->inputs[k]->id] || iterations_always(w, k)))
            continue;
        if (k >= CARRIED && !iterations_keep_type(w, k - CARRIED))
            return -1;
        w->kept[k] = add_scan(w, n, body, body->inputs[k]);
        if (!w->kept[k])
            return -1;
        more++;
    }
    for (int k = 0; k < w->drawn_count; k++, more++) {
        struct drawn *d = &w->drawn[k];

        d->kept = add_scan(w, n, body, node_output(body->nodes[d->node], d->slot));
        if (!d->kept)
            return -1;
    }
    return more;
}

static bool keep(struct way *w)
{
    struct emitter *e = &w->b->e;
    struct node *n = e->graph->nodes[w->node->id];
    const int own = w->it->carried + w->it->scans;
    struct graph *body = body_copy(w->b, n->graph_of[0]);
    const int more = body ? add_kept(w, n, body) : -1;
    struct value **out = more < 0 ? NULL : emit_alloc(e, (size_t)(own + more) * sizeof *out);
    struct graph **graphs = out ? emit_alloc(e, sizeof *graphs) : NULL;
    const void *attrs = graphs ? w->it->with_body(e, n->attrs, body, more) : NULL;

    if (!attrs) {
        graph_release(body);
        return false;
    }
    memcpy(out, n->out, (size_t)(n->slots < own ? n->slots : own) * sizeof *out);
    n->slots = own;
    for (int k = 0; k < CARRIED + w->it->carried; k++)
        if (w->kept[k])
            out[n->slots++] = w->kept[k];
    for (int k = 0; k < w->drawn_count; k++)
        out[n->slots++] = w->drawn[k].kept;
    n->outputs = n->slots;
    n->out = out;
    n->attrs = attrs;
    graph_disown(e->graph, n->graph_of[0]);
    n->graph_of = graphs;
    n->graph_of[0] = body;
    return true;
}

static struct value *true_like(struct way *w, const struct tensor *type)
{
    struct value *v = graph_value(w->g, NULL);
    struct tensor *t = emit_alloc(&w->e, sizeof *t);
    bool *data = emit_alloc(&w->e, sizeof *data);

    if (!v || !t || !data)
        return NULL;
    *data = true;
    *t = *type;
    t->data = data;
    v->initializer = t;
    return v;
}

/* What the body had as inputs comes from what was kept, or from outside. */
static bool make_inputs(struct way *w, struct value *last)
{
    struct graph *g = w->g;
    const size_t from = g->node_count;
    struct value *inner = last ? graph_capture(g, last) : NULL;

    if (!inner || !value_becomes(w->at, emit(&w->e, "Sub", "", 2, inner, g->inputs[ITERATION])))
        return false;
    for (int k = 0; k < CARRIED + w->it->carried; k++) {
        const struct tensor *t = &w->types[w->inputs[k]->id];
        struct value *outer = iterations_always(w, k), *made;

        if (!w->live[w->inputs[k]->id])
            continue;
        if (k == ITERATION)
            made = emit_reshape(&w->e, w->at, t->rank, t->dims);
        else if (k == CONDITION)
            made = true_like(w, t);
        else if (outer)
            made = (inner = graph_capture(g, outer)) ? emit(&w->e, "Identity", "", 1, inner) : NULL;
        else
            made = now_of(w, w->kept[k]);
        if (!value_becomes(w->inputs[k], made))
            return false;
    }
    for (int k = 0; k < w->drawn_count; k++)
        if (!value_becomes(w->drawn[k].value, now_of(w, w->drawn[k].kept)))
            return false;
    return graph_begin_with(g, from);
}

/* -- the whole -- */

/* The backward loop, and its results. */
static bool emit_loop(struct way *w, struct value *number)
{
    static const char *const names[] = { "body" };
    struct backward *b = w->b;
    struct emitter *e = &b->e;
    struct value **in = emit_alloc(e, (size_t)(CARRIED + w->count) * sizeof *in);
    const int results = w->count + 2 * w->pick_count;
    struct value **out = emit_alloc(e, (size_t)results * sizeof(struct value *));

    if (!in || !out)
        return false;
    in[ITERATION] = number;
    for (int k = 0; k < w->count; k++) {
        const struct flow *f = &w->flow[k];
        const struct tensor *t = &w->types[f->inner->id];
        struct value *v = iterations_end_of(w, f->input);

        if (v && f->dtype != t->dtype)
            v = emit_cast(e, v, f->dtype);
        in[CARRIED + k] = v ? v : zeros(e, f->dtype, t);
    }
    if (!e->failed)
        emit_graphs(e, "Loop", 1, names, &w->g, results, out, CARRIED + w->count, in);
    else
        graph_release(w->g);
    w->g = NULL;
    for (int k = 0; k < w->count && !e->failed; k++) {
        const enum dtype dtype = w->types[w->flow[k].inner->id].dtype;

        give(b, w->flow[k].input, dtype == w->flow[k].dtype ? out[k] : emit_cast(e, out[k], dtype));
    }
    for (int k = 0; k < w->pick_count && !e->failed; k++) {
        struct value **got = out + w->count + 2 * k;

        give(b, w->picks[k].input, gather_back(e, got[0], got[1], 0, &w->types[w->picks[k].inner->id]));
    }
    return !e->failed;
}

static bool build(struct way *w)
{
    struct backward *b = w->b;
    struct emitter *e = &b->e;
    struct value *number;
    const char *random;

    if (!iterations_find(w))
        return false;
    if (!w->count && !w->pick_count)
        return !b->e.failed;
    if (!go_back(w) || !drop_dead(w))
        return false;
    random = body_draws(w->g);
    if (random)
        return backward_error(b, "a subgraph of its body draws random numbers (%s), going back would draw others",
                              random);
    if (!keep(w))
        return false;
    number = emit(e, "Squeeze", "", 1, emit(e, "Shape", "end=1", 1, w->kept[ITERATION]));
    if (!make_inputs(w, emit(e, "Sub", "", 2, number, emit_scalar(e, I64, 1))) || w->e.failed)
        return false;
    return emit_loop(w, number);
}

static bool note_nodes(struct way *w)
{
    w->was = arena_array(&w->b->scratch, w->g->node_count, sizeof *w->was, w->b->c->report);
    for (; w->was && w->nodes < w->g->node_count; w->nodes++)
        w->was[w->nodes] = w->g->nodes[w->nodes];
    return w->was;
}

static bool allocate(struct way *w)
{
    struct arena *a = &w->b->scratch;
    struct report *r = w->b->c->report;
    const size_t inputs = w->g->input_count, values = w->g->value_count;

    w->inputs = arena_array(a, inputs, sizeof *w->inputs, r);
    w->kept = arena_array(a, inputs, sizeof *w->kept, r);
    w->flow = arena_array(a, inputs + (size_t)w->node->captured, sizeof *w->flow, r);
    w->picks = arena_array(a, w->g->node_count, sizeof *w->picks, r);
    w->readings = arena_array(a, values, sizeof *w->readings, r);
    w->needs = arena_array(a, values, sizeof *w->needs, r);
    w->flows = arena_array(a, values, sizeof *w->flows, r);
    w->outputs = arena_array(a, w->g->output_count, sizeof *w->outputs, r);
    for (size_t k = 0; w->inputs && k < inputs; k++)
        w->inputs[k] = w->g->inputs[k];
    for (size_t k = 0; w->outputs && k < w->g->output_count; k++)
        w->outputs[k] = w->g->outputs[k];
    return w->inputs && w->outputs && w->kept && w->flow && w->picks && w->readings && w->needs && w->flows;
}

/* The types of the body's inputs; data of those that are the same each time. */
static struct tensor *given_inputs(struct way *w)
{
    struct backward *b = w->b;
    struct tensor *given = arena_array(&b->scratch, w->g->input_count, sizeof *given, b->c->report);

    for (int k = 0; given && k < CARRIED; k++) {
        given[k] = w->it->scalars[k];
        given[k].data = NULL;
    }
    for (int k = 0; given && k < w->it->carried; k++) {
        given[CARRIED + k] = *type_in(b, w->it->first + k);
        given[CARRIED + k].planned = NULL;
        if (!iterations_always(w, CARRIED + k))
            given[CARRIED + k].data = NULL;
    }
    return given;
}

bool gradient_of_iterations(struct backward *b, const struct iterations *it)
{
    struct way w = { .b = b, .it = it, .node = b->node, .g = body_copy(b, b->node->graph_of[0]) };
    const struct tensor *given = w.g ? given_inputs(&w) : NULL;
    struct program *types = given && note_nodes(&w) ? body_types(b, w.g, given) : NULL;
    bool ok = types && allocate(&w);

    w.e = (struct emitter){ .graph = w.g, .report = b->c->report };
    if (ok) {
        w.types = types->types;
        ok = build(&w);
    }
    program_free(types);
    graph_release(w.g);
    b->e.failed |= !ok;
    return ok;
}
