#include "inspect/flow.h"
#include "grad/grad.h"
#include "grad/straight.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include <string.h>

enum { CARRIED = 2 }; /* inputs of a Loop from which on values are carried; its body has an output less before them */

/* Of a value. */
struct flow {
    bool depends, flows; /* on what would train; a gradient comes to it */
    int64_t from, far;   /* as flow_end has it: of the nearest that comes */
    int64_t stop, end; /* rows at which one ends that would come: for want of a rule, and for another reason; NOWHERE */
    enum flow_kind ended;      /* that reason */
    const struct node *told;   /* the latest node of which it is told that it gives it a gradient, */
    const struct node *inside; /* and that in whose body one comes to it */
};

enum { NOWHERE = -2 };

struct walk {
    struct flows *flows;
    const struct open_types *types;
    struct arena *arena, scratch;
    struct report *report;
    const struct node *row_of; /* the file's node of the latest row of the graph that is walked, */
    int64_t row;               /* and that row */
};

/* One graph. */
struct level {
    struct walk *w;
    const struct graph *graph;
    const struct program *plan; /* that knows its types; NULL */
    struct flow *flow;          /* by value id */
    bool *straight;             /* likewise */
    int depth;
};

const char *flow_name(enum flow_kind kind)
{
    static const char *const names[] = {
        [FLOW_NONE] = "none", [FLOW_UNASKED] = "unasked",   [FLOW_INTEGER] = "integer",
        [FLOW_ZERO] = "zero", [FLOW_GRADIENT] = "gradient", [FLOW_BLOCKED] = "blocked"
    };

    return names[kind];
}

/* -- types -- */

static enum dtype dtype_of(const struct level *p, const struct value *v)
{
    const enum dtype t = p->plan ? p->plan->types[v->id].dtype : UNDEFINED;

    return t == UNDEFINED ? known_of(v).dtype : t;
}

/* What is not known may be one. */
static bool may_carry(const struct level *p, const struct value *v)
{
    const enum dtype t = dtype_of(p, v);

    return p->straight[v->id] || t == UNDEFINED || (dtype_is_float(t) && !dtype_is_small(t));
}

static const struct program *plan_of(const struct level *p, const struct node *n, int graph)
{
    const struct body *b = p->plan ? p->plan->bodies : NULL;

    while (b && !(b->node == n && b->graph == graph))
        b = b->next;
    return b ? b->program : NULL;
}

/* -- what depends on what would train: by its values, not by its shape -- */

static void spread(const struct level *p)
{
    for (size_t k = 0; k < p->graph->node_count; k++) {
        const struct node *n = p->graph->nodes[k];
        bool any = false;

        for (int i = 0; i < n->inputs + n->captured && !(n->def->flags & OP_SHAPE_ONLY); i++)
            any |= n->in[i] && p->flow[n->in[i]->id].depends;
        for (int o = 0; any && o < n->slots; o++)
            if (n->out[o])
                p->flow[n->out[o]->id].depends = true;
    }
}

/* -- one node -- */

static const struct node *file_node(const struct node *n)
{
    const struct node *of = node_origin(n);

    return of->index < 0 || node_is(of, &op_constant) ? NULL : of;
}

static struct flow_node *row_at(const struct walk *w, int64_t row)
{
    return row < 0 ? NULL : &w->flows->at[row];
}

/* A node that has no name is called as what it makes. */
static const char *name_of(const struct node *of, const struct node *part)
{
    for (int o = 0; o < part->outputs && !*of->name; o++)
        if (part->out[o])
            return part->out[o]->name;
    return of->name;
}

/* The row of a node: that of the node before, where both are parts of one of the file's. NOWHERE for what is none of them. */
static bool find_row(struct level *p, const struct node *n, const struct flow *in, int64_t *row)
{
    struct walk *w = p->w;
    struct flows *f = w->flows;
    const struct node *of = file_node(n);

    *row = NOWHERE;
    if (!of)
        return true;
    if (w->row >= 0 && w->row_of == of) {
        *row = w->row;
        return true;
    }
    if (f->count == f->capacity) {
        const size_t capacity = f->capacity ? 2 * f->capacity : 64;
        struct flow_node *more = arena_array(w->arena, capacity, sizeof *more, w->report);

        if (!more)
            return false;
        if (f->count)
            memcpy(more, f->at, f->count * sizeof *more);
        f->at = more;
        f->capacity = capacity;
    }
    f->at[f->count] = (struct flow_node){ .node = of,
                                          .name = name_of(of, n),
                                          .depth = p->depth,
                                          .why = "",
                                          .behind = in->flows ? in->from : FLOW_LOSS,
                                          .far = in->flows ? in->far : 0 };
    w->row_of = of;
    *row = w->row = (int64_t)f->count++;
    return true;
}

/* What comes to any of its outputs. */
static struct flow merged(const struct level *p, const struct node *n)
{
    struct flow in = { .from = FLOW_LOSS, .stop = NOWHERE, .end = NOWHERE };

    for (int o = 0; o < n->slots; o++) {
        const struct flow *f = n->out[o] ? &p->flow[n->out[o]->id] : NULL;

        if (!f)
            continue;
        in.depends |= f->depends;
        if (f->flows && (!in.flows || f->far < in.far)) {
            in.flows = true;
            in.from = f->from;
            in.far = f->far;
        }
        in.stop = in.stop < 0 ? f->stop : in.stop;
        if (in.end < 0) {
            in.end = f->end;
            in.ended = f->ended;
        }
    }
    return in;
}

/* What becomes at a node of what comes to it; the first value that is no float and would be asked for, where there is one. */
static enum flow_kind kind_of(const struct level *p, const struct node *n, const struct flow *in,
                              const struct value **integer)
{
    enum flow_kind kind = FLOW_UNASKED;

    if (!in->flows)
        return FLOW_NONE;
    for (int i = 0; i < n->inputs + n->captured; i++) {
        const struct value *v = n->in[i];

        if (!v || !p->flow[v->id].depends)
            continue;
        if (may_carry(p, v))
            kind = FLOW_GRADIENT;
        else
            *integer = *integer ? *integer : v;
    }
    if (*integer && kind == FLOW_UNASKED)
        kind = FLOW_INTEGER;
    if (kind == FLOW_UNASKED)
        return kind;
    if (n->def->gradient == zero_gradient)
        return FLOW_ZERO;
    return !op_differentiable(n->def) || straight_stop(n, p->straight) ? FLOW_BLOCKED : kind;
}

static const char *reason(const struct level *p, const struct node *n, enum flow_kind kind, const struct value *integer)
{
    struct walk *w = p->w;
    const struct value *straight = straight_stop(n, p->straight);

    switch (kind) {
    case FLOW_NONE:
        return "no gradient comes to it";
    case FLOW_UNASKED:
        return "nothing that it is made of trains";
    case FLOW_GRADIENT:
    case FLOW_INTEGER:
        return !integer ? ""
                        : arena_printf(w->arena, w->report, "'%s' is %s, which has no gradient", integer->name,
                                       dtype_name(dtype_of(p, integer)));
    case FLOW_ZERO:
        return "constant in pieces: the gradient is zero by definition";
    case FLOW_BLOCKED:
        if (op_differentiable(n->def))
            return arena_printf(w->arena, w->report, "has no gradient of what is quantised: '%s'", straight->name);
        return arena_printf(w->arena, w->report, "has no gradient: %s",
                            n->def->no_gradient ? n->def->no_gradient : "not differentiable");
    }
    return "";
}

/* -- what goes on -- */

/* Is a gradient given to input i? What a body reads from outside, or a Loop carries, has one if there is one in the body. */
static bool reaches(const struct level *p, const struct node *n, int i)
{
    const struct value *v = n->in[i];
    const bool carried = node_is(n, &op_loop) && i >= CARRIED && i < n->inputs;
    const struct value *end = carried && i - CARRIED < n->slots ? n->out[i - CARRIED] : NULL;

    if (!v || !may_carry(p, v))
        return false;
    return !(carried || i >= n->inputs) || p->flow[v->id].inside == n || (end && p->flow[end->id].flows);
}

static bool tell_gives(struct level *p, const struct node *n, struct flow_node *row)
{
    struct walk *w = p->w;
    const char **names =
        arena_array(w->arena, row->gives + (size_t)(n->inputs + n->captured), sizeof *names, w->report);

    if (!names)
        return false;
    if (row->gives)
        memcpy(names, row->give, row->gives * sizeof *names);
    for (int i = 0; i < n->inputs + n->captured; i++) {
        const struct value *v = n->in[i];
        struct flow *f = v ? &p->flow[v->id] : NULL;
        const bool own = v && v->producer && file_node(v->producer) == row->node;

        if (!reaches(p, n, i) || own || f->told == n || !f->depends)
            continue;
        f->told = n;
        names[row->gives++] = v->name;
    }
    row->give = names;
    return true;
}

/* To one input. */
static void pass_on(const struct level *p, const struct node *n, int i, const struct flow *in, enum flow_kind kind,
                    int64_t row)
{
    const struct value *v = n->in[i];
    struct flow *f = &p->flow[v->id];
    const bool ends = in->flows && (kind == FLOW_ZERO || !may_carry(p, v));

    if (kind == FLOW_GRADIENT && reaches(p, n, i) && (!f->flows || in->far + 1 < f->far)) {
        f->flows = true;
        f->from = row >= 0 ? row : in->from;
        f->far = in->far + 1;
    }
    if (f->stop < 0)
        f->stop = kind == FLOW_BLOCKED ? row : in->stop;
    if (f->end < 0 && (ends || in->end >= 0)) {
        f->end = ends ? row : in->end;
        f->ended = ends ? kind == FLOW_ZERO ? FLOW_ZERO : FLOW_INTEGER : in->ended;
    }
}

static bool walk_bodies(struct level *p, const struct node *n, const struct flow *in, int64_t row);

static bool visit(struct level *p, const struct node *n)
{
    struct walk *w = p->w;
    const struct flow in = merged(p, n);
    const struct value *integer = NULL;
    const enum flow_kind kind = kind_of(p, n, &in, &integer);
    struct flow_node *to;
    int64_t row;

    if (!in.flows && !in.depends) {
        w->flows->others += file_node(n) && !(w->row_of == file_node(n));
        row = NOWHERE;
    } else if (!find_row(p, n, &in, &row)) {
        return false;
    }
    to = row_at(w, row);
    if (to && (kind > to->kind || !*to->why)) {
        to->kind = kind > to->kind ? kind : to->kind;
        to->why = reason(p, n, kind, integer);
        if (!to->why)
            return false;
    }
    if (kind == FLOW_GRADIENT && n->graphs && !walk_bodies(p, n, &in, row))
        return false;
    if (to && kind == FLOW_GRADIENT && !tell_gives(p, n, row_at(w, row)))
        return false;
    if (!p->depth && row >= 0)
        w->flows->row[n->id] = row;
    for (int i = 0; i < n->inputs + n->captured; i++)
        if (n->in[i])
            pass_on(p, n, i, &in, kind, row);
    return true;
}

static bool walk(struct level *p)
{
    struct walk *w = p->w;

    w->row = NOWHERE;
    w->row_of = NULL;
    for (size_t k = p->graph->node_count; k-- > 0;)
        if (!visit(p, p->graph->nodes[k]))
            return false;
    return true;
}

/* -- bodies -- */

/* Input k of a body is input k + this of its node. */
static int shift_of(const struct node *n, const struct graph *body)
{
    const int shift = n->inputs - (int)body->input_count;

    return body->input_count && shift > 0 ? shift : 0;
}

static bool enter(struct level *inner, const struct level *p, const struct node *n, int graph)
{
    const struct graph *body = n->graph_of[graph];
    struct walk *w = p->w;

    *inner = (struct level){ .w = w, .graph = body, .plan = plan_of(p, n, graph), .depth = p->depth + 1 };
    inner->flow = arena_array(&w->scratch, body->value_count, sizeof *inner->flow, w->report);
    inner->straight = straight_find(body, inner->plan ? inner->plan->types : NULL, &w->scratch, w->report);
    for (size_t k = 0; inner->flow && k < body->value_count; k++)
        inner->flow[k].stop = inner->flow[k].end = NOWHERE;
    for (size_t k = 0; inner->flow && k < body->capture_count; k++)
        inner->flow[body->captures[k].inner->id].depends = p->flow[body->captures[k].outer->id].depends;
    for (size_t k = 0; inner->flow && k < body->input_count; k++) {
        const int from = (int)k + shift_of(n, body);
        const struct value *v = from < n->inputs ? n->in[from] : NULL;

        inner->flow[body->inputs[k]->id].depends = v && p->flow[v->id].depends;
    }
    return inner->flow && inner->straight;
}

/* Does any gradient come to the input, if bodies inside of the body pass on all? */
static void spread_back(const struct level *p, bool *flows)
{
    for (size_t k = p->graph->node_count; k-- > 0;) {
        const struct node *n = p->graph->nodes[k];
        bool any = false;

        for (int o = 0; o < n->slots; o++)
            any |= n->out[o] && flows[n->out[o]->id];
        for (int i = 0; any && n->def->gradient != zero_gradient && i < n->inputs + n->captured; i++)
            if (n->in[i] && may_carry(p, n->in[i]))
                flows[n->in[i]->id] = true;
    }
}

/* What a Loop carries goes from iteration to iteration, both ways, until nothing new is found. */
static void spread_carried(const struct level *p, bool *flows)
{
    const struct graph *g = p->graph;
    bool more = true;

    while (more) {
        more = false;
        spread(p);
        spread_back(p, flows);
        for (size_t k = CARRIED; k < g->input_count && k - 1 < g->output_count; k++) {
            const int in = g->inputs[k]->id, out = g->outputs[k - 1]->id;

            more |= p->flow[out].depends > p->flow[in].depends || flows[in] > flows[out];
            p->flow[in].depends |= p->flow[out].depends;
            flows[out] |= flows[in];
        }
    }
}

/* What ends in the body ends what comes from outside. */
static void leave(const struct level *p, const struct level *inner, const struct node *n)
{
    const struct graph *g = inner->graph;

    for (size_t k = 0; k < g->capture_count + g->input_count; k++) {
        const size_t input = k - g->capture_count;
        const int from = k < g->capture_count ? 0 : (int)input + shift_of(n, g);
        const struct value *in = k < g->capture_count ? g->captures[k].inner : g->inputs[input];
        const struct value *out = k < g->capture_count ? g->captures[k].outer : from < n->inputs ? n->in[from] : NULL;

        if (!out)
            continue;
        if (inner->flow[in->id].flows)
            p->flow[out->id].inside = n;
        if (p->flow[out->id].stop < 0)
            p->flow[out->id].stop = inner->flow[in->id].stop;
        if (p->flow[out->id].end < 0) {
            p->flow[out->id].end = inner->flow[in->id].end;
            p->flow[out->id].ended = inner->flow[in->id].ended;
        }
    }
}

static bool walk_body(struct level *p, const struct node *n, int graph, const struct flow *in, int64_t row)
{
    const bool loop = node_is(n, &op_loop);
    const struct graph *body = n->graph_of[graph];
    struct walk *w = p->w;
    struct level inner;
    bool *flows = arena_array(&w->scratch, body->value_count, sizeof *flows, w->report);

    if (!flows || !enter(&inner, p, n, graph))
        return false;
    for (size_t k = loop; k < body->output_count; k++) {
        const int o = (int)k - loop;

        flows[body->outputs[k]->id] |= o < n->slots && n->out[o] && p->flow[n->out[o]->id].flows;
    }
    if (loop)
        spread_carried(&inner, flows);
    else
        spread(&inner);
    for (size_t k = 0; k < body->output_count; k++) {
        struct flow *f = &inner.flow[body->outputs[k]->id];

        f->flows = flows[body->outputs[k]->id] && may_carry(&inner, body->outputs[k]);
        f->from = row >= 0 ? row : in->from;
        f->far = in->far;
    }
    if (!walk(&inner))
        return false;
    leave(p, &inner, n);
    return true;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool walk_bodies(struct level *p, const struct node *n, const struct flow *in, int64_t row)
{
    struct walk *w = p->w;
    const struct node *of = w->row_of;
    const int64_t at = w->row;

    for (int g = n->graphs; g-- > 0;)
        if (!walk_body(p, n, g, in, row))
            return false;
    w->row_of = of;
    w->row = at;
    return true;
}

/* -- the whole -- */

static void tell_end(struct flow_end *to, const struct flow *f)
{
    *to = (struct flow_end){ FLOW_NONE, FLOW_LOSS, 0 };
    if (f->stop >= 0)
        *to = (struct flow_end){ FLOW_BLOCKED, f->stop, 0 };
    else if (f->flows)
        *to = (struct flow_end){ FLOW_GRADIENT, f->from, f->far };
    else if (f->end >= 0)
        *to = (struct flow_end){ f->ended, f->end, 0 };
}

bool flows_find(struct flows *f, const struct open_types *types, const struct parameters *p,
                struct value *const *outputs, size_t count, struct arena *arena, struct report *r)
{
    const struct graph *g = types->graph;
    struct walk w = { .flows = f, .types = types, .arena = arena, .scratch = { .budget = arena->budget }, .report = r };
    struct level main = { .w = &w, .graph = g, .plan = types->plan };
    bool ok;

    main.flow = arena_array(&w.scratch, g->value_count, sizeof *main.flow, r);
    main.straight = straight_find(g, types->plan ? types->plan->types : NULL, &w.scratch, r);
    f->row = arena_array(arena, g->node_count, sizeof *f->row, r);
    f->end = arena_array(arena, p->count, sizeof *f->end, r);
    ok = main.flow && main.straight && f->row && f->end;
    for (size_t k = 0; ok && k < g->value_count; k++)
        main.flow[k].stop = main.flow[k].end = NOWHERE;
    for (size_t k = 0; ok && k < g->node_count; k++)
        f->row[k] = FLOW_LOSS;
    for (size_t k = 0; ok && k < p->count; k++)
        main.flow[p->at[k].value->id].depends = p->at[k].role == ROLE_TRAINABLE || p->at[k].left;
    if (ok)
        spread(&main);
    for (size_t k = 0; ok && k < count; k++) {
        struct flow *o = &main.flow[outputs[k]->id];

        o->flows = may_carry(&main, outputs[k]);
        o->from = FLOW_LOSS;
    }
    ok = ok && walk(&main);
    for (size_t k = 0; ok && k < p->count; k++)
        tell_end(&f->end[k], &main.flow[p->at[k].value->id]);
    arena_release(&w.scratch);
    return ok;
}
