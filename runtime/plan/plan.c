#include "kernels/machine.h"
#include "ops/cost.h"
#include "ops/node.h"
#include "plan/planner.h"
#include <string.h>

/* -- what is needed -- */

/* A node is needed when an output of it, which the caller does not have, is read by a needed node or by the caller.
 * Counts the readers of each value on the way. Nodes stand in topological order, so one walk back is enough. */
static void find_needed(struct planner *p)
{
    const struct graph *g = p->graph;

    for (size_t k = 0; k < g->output_count; k++)
        p->readers[g->outputs[k]->id]++;
    for (size_t k = g->node_count; k-- > 0;) {
        const struct node *n = g->nodes[k];

        if (p->program->done[k])
            continue;
        for (int o = 0; o < n->slots; o++)
            if (n->out[o] && p->readers[n->out[o]->id] && !p->provided[n->out[o]->id])
                p->needed[k] = true;
        if (p->needed[k])
            for (int i = 0; i < n->inputs + n->captured; i++)
                if (n->in[i])
                    p->readers[n->in[i]->id]++;
    }
}

/* -- what is known at the start -- */

static bool copy_content(struct planner *p, struct tensor *t, const struct tensor *from)
{
    const int64_t bytes = tensor_bytes(from);

    if (from->kind != TENSOR || bytes < 0 || !from->data)
        return true;
    t->data = arena_alloc(&p->program->arena, (size_t)bytes, p->c->report);
    if (t->data && bytes)
        memcpy(t->data, from->data, (size_t)bytes);
    return t->data;
}

/* Content from outside that is looked at whether somebody asks for it or not, so that what depends on it is folded:
 * shapes, axes, conditions. It is compared whenever the program is to be used again. */
enum { SMALL_BYTES = 1024 };

bool look_at(struct planner *p, int id)
{
    struct tensor *t = &p->program->types[id];

    return !t->data && p->provided[id] && p->content && p->content[id] && copy_content(p, t, &p->given[id]) && t->data;
}

static bool start_value(struct planner *p, const struct value *v)
{
    const struct tensor *given = &p->given[v->id];
    struct tensor *t = &p->program->types[v->id];
    struct place *place = &p->program->places[v->id];

    t->rank = UNKNOWN;
    if (v->initializer && !v->trains && !v->is_input) {
        *t = *v->initializer;
        place->kind = PLACE_CONSTANT;
        p->constant_bytes += v->folded ? 0 : tensor_bytes(t);
        return true;
    }
    if (given->kind == TENSOR && given->rank < 0 && given->dtype == UNDEFINED)
        return true;
    *t = *given;
    t->data = NULL;
    t->planned = NULL;
    p->provided[v->id] = true;
    place->kind = PLACE_OUTSIDE;
    if (p->content && p->content[v->id] && given->kind == TENSOR && given->data && tensor_bytes(given) <= SMALL_BYTES)
        return look_at(p, v->id);
    return true;
}

/* What was known then is known now. `before` outlives the new program, and who uses it again has checked its
 * content. */
static void start_after(struct planner *p, const struct program *before)
{
    memcpy(p->program->done, before->done, p->graph->node_count);
    for (size_t k = 0; k < p->graph->value_count; k++) {
        struct tensor *t = &p->program->types[k];

        if (!before->types[k].data || p->program->places[k].kind == PLACE_CONSTANT)
            continue;
        *t = before->types[k];
        p->provided[k] = false;
        p->program->places[k].kind = before->places[k].kind == PLACE_CONSTANT ? PLACE_CONSTANT : PLACE_OUTSIDE;
    }
}

/* What slices leave lies in the arena before the first step. */
static void start_edges(struct planner *p)
{
    for (size_t k = 0; p->slices && k < p->slices->edge_count; k++) {
        const struct edge *e = &p->slices->edges[k];

        p->program->types[e->id] = e->type;
        p->program->places[e->id].kind = PLACE_ARENA;
        p->provided[e->id] = true;
    }
}

static bool start(struct planner *p, const struct program *before)
{
    for (size_t k = 0; k < p->graph->value_count; k++)
        if (!start_value(p, p->graph->values[k]))
            return false;
    start_edges(p);
    if (!before)
        return true;
    start_after(p, before);
    for (size_t k = 0; k < before->wanted_count; k++) {
        const int id = before->wanted[k];

        if (!p->program->types[id].data && !copy_content(p, &p->program->types[id], &p->given[id]))
            return false;
    }
    return true;
}

/* -- node by node -- */

static bool ready(const struct planner *p, const struct node *n)
{
    for (int k = 0; k < n->inputs + n->captured; k++) {
        const struct tensor *t = n->in[k] ? &p->program->types[n->in[k]->id] : NULL;

        if (t && (t->kind == TENSOR ? t->dtype == UNDEFINED || !tensor_known(t) : t->dtype == UNDEFINED))
            return false;
        if (t && p->program->places[n->in[k]->id].kind == PLACE_NONE && !t->data)
            return false;
    }
    return true;
}

/* What cannot end in the time that there is need not begin. */
static bool can_end(struct planner *p, const struct infer *i)
{
    const struct budget *b = p->c->budget;
    struct cost cost;
    char where[WHERE_TEXT];

    if (p->program->types_only || !b->wall)
        return true;
    cost = cost_of(i->node, i->in, i->out);
    p->seconds += cost.flops / (MOST_FLOPS * p->c->threads) + cost.rounds * LEAST_ROUND;
    return p->seconds <= b->seconds ||
           fail(p->c->report, KILN_LIMIT, node_where(i->node, where),
                "%g %s, which cannot end within the time limit of %g s", cost.rounds > 0 ? cost.rounds : cost.flops,
                cost.rounds > 0 ? "iterations" : "multiplications and additions", b->seconds);
}

static bool add_step(struct planner *p, const struct infer *i)
{
    struct program *q = p->program;
    struct program_step *s = &q->steps[q->step_count];

    if (!can_end(p, i))
        return false;
    s->node = i->node;
    s->scratch = -1;
    s->read = arena_array(&q->arena, (size_t)i->node->slots, sizeof *s->read, p->c->report);
    if (!s->read)
        return false;
    for (int k = 0; k < i->node->slots; k++)
        s->read[k] = i->out[k];
    s->plan = i->plan;
    s->preparations = i->preparations;
    p->scratch_of[q->step_count] = i->scratch;
    q->step_count++;
    return true;
}

static bool add_next_state(struct planner *p, const struct infer *i, int out)
{
    const struct value *from = i->node->out[out], *to = i->node->in[i->next_states[out]];
    struct program *q = p->program;
    char where[WHERE_TEXT];

    if (!same_type(&q->types[from->id], &q->types[to->id]))
        return fail(p->c->report, KILN_BAD_MODEL, node_where(i->node, where),
                    "output %d and the input whose next value it is differ in type", out);
    if (!i->links[out].updates)
        q->next_states[q->next_state_count++] = (struct next_state){ from->id, to->id };
    return true;
}

/* What running has told of outputs where planning cannot: it is taken for granted, and the node will see to it that it holds
 * when it is run. */
static void take_found(struct infer *i)
{
    for (int k = 0; k < i->node->slots; k++) {
        const struct tensor *found = i->out[k] ? i->node->out[k]->found : NULL;

        if (!found)
            continue;
        if (i->out[k]->kind == TENSOR && !tensor_known(i->out[k])) {
            *i->out[k] = *found;
            i->out[k]->data = NULL;
        }
        if (found->data && !i->out[k]->data && same_type(found, i->out[k])) {
            i->out[k]->data = found->data;
            i->known[k] = true;
        }
    }
}

/* Gives the outputs of a node that has answered their places: known, a view, in the arena, or told by running. */
static bool give_places(struct planner *p, struct infer *i)
{
    struct program *q = p->program;
    bool idle = true; /* nothing is left to run */

    for (int k = 0; k < i->node->slots; k++) { /* views of what is known are known */
        const struct tensor *in = i->out[k] && i->links[k].view ? &q->types[i->links[k].id] : NULL;

        if (in && in->data && !i->known[k]) {
            i->out[k]->data = in->data;
            i->known[k] = true;
        }
    }
    for (int k = 0; k < i->node->slots; k++)
        if (i->out[k] && !i->known[k])
            idle = false;
    if (!idle && fold_node(i))
        idle = true;
    if (i->failed)
        return false;
    for (int k = 0; k < i->node->slots; k++) {
        const int id = i->out[k] ? i->node->out[k]->id : -1;

        if (id < 0)
            continue;
        p->reuse[id] = i->links[k];
        q->places[id].kind = i->out[k]->data                                        ? PLACE_CONSTANT
                             : i->links[k].id >= 0 && i->links[k].view              ? PLACE_VIEW
                             : i->links[k].updates                                  ? PLACE_VIEW
                             : i->out[k]->kind == TENSOR && tensor_known(i->out[k]) ? PLACE_ARENA
                                                                                    : PLACE_RUN;
        if (i->next_states[k] >= 0 && !add_next_state(p, i, k))
            return false;
    }
    return idle || add_step(p, i);
}

/* The type of what the node of an expansion read. It is of the graph that this one may be a copy of, which keeps ids, or
 * was made a part of, or was made a part from, where they are others: NULL then. */
static const struct tensor *type_read(const struct planner *p, const struct value *v)
{
    const struct graph *g = p->graph;
    const struct tensor *t =
        v && (size_t)v->id < g->value_count && g->values[v->id]->name == v->name ? &p->program->types[v->id] : NULL;

    return t && t->dtype != UNDEFINED ? t : NULL;
}

/* Do the inputs of the node whose expansion this is fit its signature, as far as their types are known by now? */
static bool check_origin(struct planner *p, const struct node *n)
{
    for (const struct node *o = n->origin; o; o = o->origin) {
        const struct tensor **in = arena_array(&p->scratch, (size_t)o->inputs, sizeof *in, p->c->report);

        if (!in)
            return false;
        for (int k = 0; k < o->inputs; k++)
            in[k] = type_read(p, o->in[k]);
        if (!node_check_types(o, in, p->c->report))
            return false;
    }
    return true;
}

static bool plan_node(struct planner *p, const struct node *n)
{
    struct infer i;
    const int errors = p->c->report->error.count;
    char where[WHERE_TEXT];

    if (!infer_begin(&i, p, n) || !check_origin(p, n) || !node_check_types(n, i.in, p->c->report))
        return false;
    for (int k = 0; k < n->slots; k++)
        if (i.out[k])
            *i.out[k] = (struct tensor){ .rank = UNKNOWN };
    if (!n->def->infer(&i) || i.failed) {
        const bool waits = i.waits && !i.failed && p->c->report->error.count == errors;

        for (int k = 0; k < n->slots; k++)
            if (i.out[k])
                *i.out[k] = (struct tensor){ .rank = UNKNOWN };
        if (waits)
            return true;
        if (p->c->report->error.count == errors)
            fail(p->c->report, KILN_BAD_MODEL, node_where(n, where), "the shapes of its inputs do not fit");
        return false;
    }
    take_found(&i);
    if (!give_places(p, &i))
        return false;
    p->program->done[n->id] = true;
    return true;
}

/* -- the whole -- */

/* Those that only nodes read which nobody needs. */
static void drop_edges(struct planner *p)
{
    size_t count = 0;

    for (size_t k = 0; p->slices && k < p->slices->edge_count; k++)
        if (p->readers[p->slices->edges[k].id])
            p->slices->edges[count++] = p->slices->edges[k];
    if (p->slices)
        p->slices->edge_count = count;
}

static bool allocate(struct planner *p)
{
    const size_t values = p->graph->value_count, nodes = p->graph->node_count;
    struct program *q = p->program;
    struct report *r = p->c->report;
    size_t outputs = 0;

    for (size_t k = 0; k < nodes; k++)
        outputs += (size_t)p->graph->nodes[k]->slots;
    q->types = arena_array(&q->arena, values, sizeof *q->types, r);
    q->places = arena_array(&q->arena, values, sizeof *q->places, r);
    q->done = arena_array(&q->arena, nodes, sizeof *q->done, r);
    q->defined = arena_array(&q->arena, values, sizeof *q->defined, r);
    q->steps = arena_array(&q->arena, nodes, sizeof *q->steps, r);
    q->requirements = arena_array(&q->arena, values, sizeof *q->requirements, r);
    q->next_states = arena_array(&q->arena, outputs, sizeof *q->next_states, r);
    q->wanted = arena_array(&q->arena, values, sizeof *q->wanted, r);
    p->needed = arena_array(&p->scratch, nodes, sizeof *p->needed, r);
    p->readers = arena_array(&p->scratch, values, sizeof *p->readers, r);
    p->reuse = arena_array(&p->scratch, values, sizeof *p->reuse, r);
    p->provided = arena_array(&p->scratch, values, sizeof *p->provided, r);
    p->wanted = arena_array(&p->scratch, values, sizeof *p->wanted, r);
    p->scratch_of = arena_array(&p->scratch, nodes, sizeof *p->scratch_of, r);
    for (size_t k = 0; p->reuse && k < values; k++)
        p->reuse[k].id = p->reuse[k].other = -1;
    return q->types && q->places && q->done && q->defined && q->steps && q->requirements && q->next_states &&
           q->wanted && p->needed && p->readers && p->reuse && p->provided && p->wanted && p->scratch_of;
}

/* What was taken for granted: the type of everything that comes from outside and is read here, and the content that was
 * looked at. */
static void note_requirements(struct planner *p)
{
    struct program *q = p->program;

    for (size_t k = 0; k < p->graph->value_count; k++) {
        if (p->provided[k] && q->places[k].kind == PLACE_OUTSIDE &&
            (p->readers[k] || (p->slices && p->slices->reads[k])))
            q->requirements[q->requirement_count++] = (struct requirement){ (int)k, q->types[k] };
        if (p->wanted[k] && !q->types[k].data)
            q->wanted[q->wanted_count++] = (int)k;
        if (p->readers[k] && q->places[k].kind != PLACE_NONE && q->places[k].kind != PLACE_OUTSIDE)
            q->defined[q->defined_count++] = (int)k;
    }
}

static bool plan_nodes(struct planner *p)
{
    struct program *q = p->program;

    q->complete = true;
    for (size_t k = 0; k < p->graph->node_count; k++) {
        const struct node *n = p->graph->nodes[k];

        if (!p->needed[k])
            continue;
        if (!budget_in_time(p->c->budget, p->graph->path, p->c->report))
            return false;
        if (ready(p, n) && !plan_node(p, n)) {
            if (!p->refused)
                return false;
            *p->refused = n;
            q->complete = false;
            return true;
        }
        if (!q->done[k])
            q->complete = false;
    }
    return true;
}

/* The types of items lie in what ends with the planning: whoever asks for types has copies of them, of one level. */
static bool keep_items(struct program *q, struct tensor *t, bool wanted, struct report *r)
{
    const struct sequence *items = t->planned;
    struct sequence *copy = NULL;

    if (items && wanted &&
        (copy = arena_alloc(&q->arena, sizeof *copy + (size_t)items->count * sizeof *items->items, r)))
        copy->count = items->count;
    for (int64_t k = 0; copy && k < items->count; k++) {
        copy->items[k] = items->items[k];
        copy->items[k].data = NULL;
        copy->items[k].planned = NULL;
    }
    t->planned = copy;
    return copy || !items || !wanted;
}

static struct program *plan(const struct graph *g, const struct program *before, const struct tensor *tensors,
                            const bool *content, const struct plan_context *c, struct slices *slices, bool types_only,
                            const struct node **refused)
{
    struct planner p = { .c = c,
                         .graph = g,
                         .slices = slices,
                         .scratch = { .budget = c->budget },
                         .given = tensors,
                         .content = content,
                         .refused = refused };
    struct program *q = budget_zalloc(c->budget, 1, sizeof *q, c->report);
    bool ok;

    if (!q)
        return NULL;
    q->arena.budget = c->budget;
    q->graph = g;
    q->types_only = types_only;
    p.program = q;
    ok = allocate(&p) && start(&p, before);
    if (ok) {
        find_needed(&p);
        drop_edges(&p);
        ok = plan_nodes(&p);
    }
    if (ok)
        note_requirements(&p);
    if (ok && !types_only)
        ok = place_values(&p);
    if (ok && !types_only && !q->complete && !q->step_count && !q->wanted_count)
        ok = fail(c->report, KILN_BAD_MODEL, g->path, "a shape depends on itself: nothing can be run first");
    for (size_t k = 0; q->types && k < g->value_count; k++)
        ok = keep_items(q, &q->types[k], ok && types_only, c->report) && ok;
    arena_release(&p.scratch);
    if (ok)
        return q;
    program_free(q);
    return NULL;
}

/* The same in slices, where that is faster and memory suffices; else `whole`. */
static struct program *in_slices(struct program *whole, const struct tensor *tensors, const bool *content,
                                 const struct plan_context *c)
{
    struct slices *s = slices_find(whole, tensors, c);
    struct report quiet = { 0 };
    struct plan_context own = *c;
    struct program *p;

    own.report = &quiet;
    p = s ? plan(whole->graph, NULL, tensors, content, &own, s, false, NULL) : NULL;
    if (!p) {
        slices_free(s);
        return whole;
    }
    p->slices = s;
    program_free(whole);
    return p;
}

struct program *plan_program(const struct graph *g, const struct program *before, const struct tensor *tensors,
                             const bool *content, const struct plan_context *c)
{
    struct program *p = plan(g, before, tensors, content, c, NULL, false, NULL);

    return p && !before && c->slicing != SLICES_NONE ? in_slices(p, tensors, content, c) : p;
}

struct program *plan_types(const struct graph *g, const struct tensor *tensors, const bool *content,
                           const struct plan_context *c)
{
    return plan(g, NULL, tensors, content, c, NULL, true, NULL);
}

struct program *plan_types_until(const struct graph *g, const struct tensor *tensors, const struct plan_context *c,
                                 const struct node **refused)
{
    *refused = NULL;
    return plan(g, NULL, tensors, NULL, c, NULL, true, refused);
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
void program_free(struct program *p)
{
    struct budget *b;

    if (!p)
        return;
    b = p->arena.budget;
    for (struct body *body = p->bodies; body; body = body->next)
        program_free(body->program);
    slices_free(p->slices);
    arena_release(&p->arena);
    budget_free(b, p);
}

bool program_fits(const struct program *p, const struct tensor *tensors, enum slicing slicing)
{
    if (p->slices && p->slices->slicing != slicing)
        return false;
    for (size_t k = 0; k < p->requirement_count; k++) {
        const struct requirement *q = &p->requirements[k];
        const struct tensor *t = &tensors[q->id];

        if (!same_element_type(&q->type, t))
            return false;
        if (t->kind != TENSOR)
            continue;
        if (!same_shape(&q->type, t))
            return false;
        if (q->type.data && (!t->data || memcmp(q->type.data, t->data, (size_t)tensor_bytes(t)) != 0))
            return false;
    }
    return true;
}

struct preparation_head {
    void (*make)(const void *key, const struct tensor *in, const struct kernels *k, struct pool *pool, void *out);
    const void *data;
    size_t bytes;
};

size_t preparation_id_bytes(const struct preparation *p)
{
    return sizeof(struct preparation_head) + p->key_bytes;
}

void preparation_id(const struct preparation *p, void *id)
{
    const struct preparation_head head = { p->make, p->of->data, p->bytes };

    memcpy(id, &head, sizeof head);
    if (p->key_bytes)
        memcpy((char *)id + sizeof head, p->data, p->key_bytes);
}
