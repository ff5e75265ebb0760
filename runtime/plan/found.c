#include "plan/found.h"
#include "ops/op.h"
#include <string.h>

static struct found_value *find(const struct found *f, int id)
{
    for (size_t k = 0; k < f->count; k++)
        if (f->at[k].id == id)
            return &f->at[k];
    return NULL;
}

/* -- what is open -- */

static bool is_open(const struct program *p, const struct value *v)
{
    const struct tensor *t = &p->types[v->id];

    return t->kind == TENSOR && (t->dtype == UNDEFINED || !tensor_known(t));
}

/* By value id: does a node read it, or is it asked for? NULL with an error. */
static bool *find_reads(const struct graph *g, struct arena *arena, struct report *r)
{
    bool *reads = arena_array(arena, g->value_count, sizeof *reads, r);

    for (size_t k = 0; reads && k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                reads[g->nodes[k]->in[i]->id] = true;
    for (size_t k = 0; reads && k < g->output_count; k++)
        reads[g->outputs[k]->id] = true;
    return reads;
}

bool found_open(const struct program *p)
{
    const struct graph *g = p->graph;

    if (!p->complete)
        return true;
    for (size_t k = 0; k < g->output_count; k++)
        if (is_open(p, g->outputs[k]))
            return true;
    return false;
}

static bool add(struct found *f, int id, const struct tensor *told, bool content, size_t *more, struct arena *arena,
                struct report *r)
{
    struct found_value *at = find(f, id);

    if (at && (at->content || !content))
        return true;
    ++*more;
    if (at) {
        at->content = true;
        return true;
    }
    if (f->count == f->capacity) {
        const size_t capacity = f->capacity ? 2 * f->capacity : 16;
        struct found_value *grown = arena_array(arena, capacity, sizeof *grown, r);

        if (!grown)
            return false;
        if (f->count)
            memcpy(grown, f->at, f->count * sizeof *grown);
        f->at = grown;
        f->capacity = capacity;
    }
    f->at[f->count++] = (struct found_value){ .id = id, .content = content, .told = *told };
    f->at[f->count - 1].told.data = NULL;
    f->at[f->count - 1].told.planned = NULL;
    return true;
}

bool found_add(struct found *f, const struct program *p, size_t *more, struct arena *arena, struct report *r)
{
    const struct graph *g = p->graph;
    struct arena scratch = { .budget = arena->budget };
    const bool *reads = find_reads(g, &scratch, r);
    bool ok = reads;

    *more = 0;
    for (size_t k = 0; ok && k < p->wanted_count; k++)
        ok = add(f, p->wanted[k], &p->types[p->wanted[k]], true, more, arena, r);
    for (size_t k = 0; ok && k < g->node_count; k++)
        for (int o = 0; p->done[k] && ok && o < g->nodes[k]->slots; o++) {
            const struct value *v = g->nodes[k]->out[o];

            if (v && reads[v->id] && is_open(p, v))
                ok = add(f, v->id, &p->types[v->id], false, more, arena, r);
        }
    arena_release(&scratch);
    return ok;
}

/* -- what becomes of it -- */

/* Does a gradient surely not go through the value? Smaller integers may be quantised, and are given one (grad/straight.h). */
static bool is_flat(const struct value *v, const struct tensor *now)
{
    const struct op_def *def = v->producer ? v->producer->def : NULL;

    return now->dtype == I64 || now->dtype == BOOL || now->dtype == STRING ||
           (def && def->gradient == zero_gradient && now->dtype != UNDEFINED);
}

static struct tensor *copy_of(const struct tensor *t, bool data, struct arena *arena, struct report *r)
{
    struct tensor *copy = arena_alloc(arena, sizeof *copy, r);
    const int64_t bytes = data ? tensor_bytes(t) : 0;

    if (!copy)
        return NULL;
    *copy = *t;
    copy->planned = NULL;
    copy->data = data ? arena_alloc(arena, to_size(bytes), r) : NULL;
    if (data && !copy->data)
        return NULL;
    if (bytes)
        memcpy(copy->data, t->data, to_size(bytes));
    return copy;
}

/* Its node makes it no more. */
static void cut(struct value *v)
{
    struct node *n = v->producer;

    for (int o = 0; n && o < n->slots; o++)
        if (n->out[o] == v)
            n->out[o] = NULL;
    v->producer = NULL;
}

static bool put(const struct found_value *f, struct graph *g)
{
    struct value *v = g->values[f->id];
    struct tensor *now = copy_of(&f->now, f->content, g->arena, g->report);

    if (!now)
        return false;
    if (!is_flat(v, now) && v->producer) {
        v->found = now;
        return true;
    }
    cut(v);
    v->known = (struct known){ now->rank, now->dtype };
    if (f->content) {
        v->initializer = now;
        v->is_input = false;
        v->folded = true;
        return true;
    }
    v->has_type = true;
    v->type = *now;
    return graph_add_input(g, v);
}

bool found_put(const struct found *f, struct graph *clone)
{
    for (size_t k = 0; k < f->count; k++)
        if (!put(&f->at[k], clone))
            return false;
    return true;
}

bool found_is_input(const struct found_value *f, const struct graph *clone)
{
    const struct value *v = clone->values[f->id];

    return !f->content && !v->producer && !v->initializer && !v->found;
}

bool found_same(const struct found *a, const struct found *b)
{
    if (a->count != b->count)
        return false;
    for (size_t k = 0; k < a->count; k++) {
        const struct found_value *x = &a->at[k], *y = &b->at[k];

        if (x->id != y->id || x->content != y->content || !same_type(&x->now, &y->now))
            return false;
        if (x->content && tensor_bytes(&x->now) && memcmp(x->now.data, y->now.data, (size_t)tensor_bytes(&x->now)) != 0)
            return false;
    }
    return true;
}

struct found *found_copy(const struct found *f, struct arena *arena, struct report *r)
{
    struct found *copy = arena_alloc(arena, sizeof *copy, r);

    if (!copy)
        return NULL;
    *copy = (struct found){ .at = arena_array(arena, f->count, sizeof *copy->at, r), .count = f->count };
    for (size_t k = 0; copy->at && k < f->count; k++) {
        const struct tensor *now = copy_of(&f->at[k].now, f->at[k].content, arena, r);

        if (!now)
            return NULL;
        copy->at[k] = (struct found_value){ f->at[k].id, f->at[k].content, f->at[k].told, *now };
    }
    return copy->at ? copy : NULL;
}
