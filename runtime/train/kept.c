#include "train/kept.h"
#include "ops/registry.h"
#include <string.h>

/* -- what rules read -- */

struct search {
    struct kept *kept;
    const struct grad_request *q;
    const struct forward_part *forward;
    const struct node **asked; /* by value id: the latest node whose rule reads it */
    bool *live, *seed;         /* by value id: somebody reads it whose result counts; it is a gradient of a loss */
    struct arena *arena;
    struct report *report;
};

static bool is_live(const struct search *s, const struct node *n)
{
    for (int o = 0; o < n->slots; o++)
        if (n->out[o] && s->live[n->out[o]->id])
            return true;
    return false;
}

/* What a rule has made and nobody reads is not computed. */
static void find_live(struct search *s)
{
    const struct graph *g = s->q->graph;

    for (size_t k = 0; k < s->q->count; k++)
        s->live[s->q->gradient[k]->id] = true;
    for (size_t k = g->node_count; k-- > s->forward->nodes;) {
        const struct node *n = g->nodes[k];
        const int read = is_live(s, n) ? n->inputs + n->captured : 0;

        for (int i = 0; i < read; i++)
            if (n->in[i])
                s->live[n->in[i]->id] = true;
    }
}

/* Is it none of the file's? */
static bool is_made(const struct value *v)
{
    return strncmp(v->name, "kiln.", 5) == 0;
}

/* What Kiln has made of a value, by its first input, has the name of that for people; what a node of the model makes beside
 * what the model asks for, that of the node's first output with its number. NULL with an error. */
static const char *name_of(const struct value *v, struct arena *arena, struct report *r)
{
    const struct node *n;

    while (v->producer && !v->producer->copied && v->producer->inputs && v->producer->in[0])
        v = v->producer->in[0];
    n = v->producer;
    for (int o = 1; n && n->copied && n->copied->out[0] && is_made(v) && o < n->slots; o++)
        if (n->out[o] == v)
            return arena_printf(arena, r, "%s (output %d)", n->copied->out[0]->name, o);
    return v->name;
}

static struct kept_value *add(struct kept *k, struct arena *arena, struct report *r)
{
    struct kept_value *more;

    if (k->count == k->capacity) {
        k->capacity = k->capacity ? 2 * k->capacity : 64;
        more = arena_array(arena, k->capacity, sizeof *more, r);
        if (!more)
            return NULL;
        if (k->count)
            memcpy(more, k->at, k->count * sizeof *more);
        k->at = more;
    }
    return &k->at[k->count++];
}

/* The gradient of a loss is made in the forward part: the loss keeps it. */
static bool note(struct search *s, const struct node *by, const struct value *v)
{
    const bool before = (size_t)v->id < s->forward->values, seed = s->seed[v->id];
    const bool own = is_made(v) && (v->initializer || (v->producer && node_is(v->producer, &op_constant)));
    struct kept_value *to;

    if ((seed && s->asked[v->id]) || s->asked[v->id] == by || own ||
        !(s->kept->forward[v->id] || (before && !v->producer)))
        return true;
    s->asked[v->id] = by;
    to = add(s->kept, s->arena, s->report);
    if (!to)
        return false;
    *to = (struct kept_value){
        .by = seed ? NULL : by->copied, .name = name_of(v, s->arena, s->report), .value = v, .type.rank = UNKNOWN
    };
    if (before)
        to->type = s->forward->types->types[v->id];
    if (seed)
        to->name = arena_printf(s->arena, s->report, "gradient by %s", to->name);
    return to->name;
}

static bool find_reads(struct search *s)
{
    size_t k = s->forward->nodes;

    for (size_t at = k; k-- > 0;)
        for (; at < s->q->ends[k]; at++) {
            const struct node *n = s->q->graph->nodes[at];
            const bool reads = is_live(s, n) && !(n->def->flags & OP_SHAPE_ONLY);
            const int read = reads ? n->inputs + n->captured : 0;

            for (int i = 0; i < read; i++)
                if (n->in[i] && !note(s, s->q->graph->nodes[k], n->in[i]))
                    return false;
        }
    return true;
}

struct kept *kept_find(const struct grad_request *q, const struct forward_part *f, struct arena *arena,
                       struct report *r)
{
    const size_t values = q->graph->value_count;
    struct arena scratch = { .budget = arena->budget };
    struct search s = { .kept = arena_alloc(arena, sizeof *s.kept, r),
                        .q = q,
                        .forward = f,
                        .asked = arena_array(&scratch, values, sizeof *s.asked, r),
                        .live = arena_array(&scratch, values, sizeof *s.live, r),
                        .seed = arena_array(&scratch, values, sizeof *s.seed, r),
                        .arena = arena,
                        .report = r };
    bool ok = s.kept && s.asked && s.live && s.seed;

    if (ok) {
        s.kept->forward = arena_array(arena, values, sizeof *s.kept->forward, r);
        s.kept->values = values;
        ok = s.kept->forward;
    }
    for (size_t k = 0; ok && k < values; k++) {
        const struct node *n = q->graph->values[k]->producer;

        s.kept->forward[k] = n && (size_t)n->id < f->nodes;
    }
    for (size_t k = 0; ok && k < q->seeds; k++)
        s.seed[q->seed_gradient[k]->id] = true;
    if (ok) {
        find_live(&s);
        ok = find_reads(&s);
    }
    arena_release(&scratch);
    return ok ? s.kept : NULL;
}

/* -- what becomes of it -- */

struct settling {
    struct kept *kept;
    const struct program *p;
    bool *read;    /* by value id of the program: a step of the backward part reads it */
    bool *counted; /* likewise: its memory is in the sum */
    bool *asked;   /* likewise: a rule does */
};

static bool is_forward(const struct kept *k, const struct value *v)
{
    return (size_t)v->id < k->values && k->forward[v->id];
}

/* Does the step make nothing but what the forward part has? What updates parameters keeps nothing for gradients. */
static bool is_back(const struct settling *s, const struct node *n)
{
    bool back = false;

    for (int o = 0; o < n->slots; o++)
        back |= n->out[o] && !is_forward(s->kept, n->out[o]);
    return back && !(n->def->flags & OP_UPDATES);
}

static void find_read(struct settling *s)
{
    for (size_t k = 0; k < s->p->step_count; k++) {
        const struct node *n = s->p->steps[k].node;
        const int reads = is_back(s, n) ? n->inputs + n->captured : 0;

        for (int i = 0; i < reads; i++)
            if (n->in[i])
                s->read[n->in[i]->id] = true;
    }
}

/* The value in whose memory it lies. */
static const struct value *root_of(const struct program *p, const struct value *v)
{
    while (p->places[v->id].kind == PLACE_VIEW && p->places[v->id].root != v->id)
        v = p->graph->values[p->places[v->id].root];
    return v;
}

static bool is_outside(const struct settling *s, const struct value *root)
{
    const enum place_kind kind = s->p->places[root->id].kind;

    return !is_forward(s->kept, root) || kind == PLACE_OUTSIDE || kind == PLACE_CONSTANT;
}

static int64_t bytes_of(const struct tensor *t)
{
    return t->kind == TENSOR && tensor_known(t) ? tensor_bytes(t) : -1;
}

static void settle(struct settling *s, struct kept_value *v)
{
    const struct value *root = root_of(s->p, v->value);

    if (s->p->types[v->value->id].rank != UNKNOWN || s->p->types[v->value->id].kind != TENSOR)
        v->type = s->p->types[v->value->id];
    v->bytes = bytes_of(&v->type);
    s->asked[root->id] = s->asked[v->value->id] = true;
    if (is_outside(s, root)) {
        v->how = KEPT_OUTSIDE;
    } else if (s->read[v->value->id]) {
        v->how = KEPT;
    } else {
        v->how = KEPT_AGAIN;
        if (v->bytes > 0 && !s->counted[v->value->id])
            s->kept->again += v->bytes;
        s->counted[v->value->id] = true;
    }
}

/* Of each piece of memory that holds what is read. */
static void add_bytes(struct settling *s, const struct value *v)
{
    const struct value *root = root_of(s->p, v);
    const int64_t bytes = bytes_of(&s->p->types[root->id]);

    if (s->counted[root->id] || is_outside(s, root))
        return;
    s->counted[root->id] = true;
    s->kept->bytes += bytes > 0 ? bytes : 0;
}

/* What is read without a rule's asking. */
static bool add_others(struct settling *s, struct arena *arena, struct report *r)
{
    for (size_t k = 0; k < s->kept->values; k++) {
        const struct value *v = s->p->graph->values[k], *root = root_of(s->p, v);
        struct kept_value *to;

        if (!s->read[k] || !s->kept->forward[k])
            continue;
        add_bytes(s, v);
        if (s->asked[root->id] || is_outside(s, root))
            continue;
        s->asked[root->id] = true;
        to = add(s->kept, arena, r);
        if (!to)
            return false;
        *to = (struct kept_value){ .by = v->producer ? v->producer->copied : NULL,
                                   .name = name_of(v, arena, r),
                                   .value = v,
                                   .type = s->p->types[k],
                                   .how = KEPT_FOR,
                                   .bytes = bytes_of(&s->p->types[k]) };
        if (!to->name)
            return false;
    }
    return true;
}

/* Sizes are those of one batch, where any other may have others. What Kiln has made of a value whose size varies may vary. */
static bool forget_sizes(struct kept *k, const struct graph *g, const struct tensor *types, size_t told,
                         struct arena *scratch, struct report *r)
{
    bool *varies = arena_array(scratch, g->value_count, sizeof *varies, r);

    for (size_t v = 0; varies && v < told; v++)
        varies[v] = types[v].kind == TENSOR && types[v].rank > 0 && !tensor_known(&types[v]);
    for (size_t n = 0; varies && n < g->node_count; n++)
        for (int o = 0; o < g->nodes[n]->slots; o++)
            for (int i = 0; g->nodes[n]->out[o] && i < g->nodes[n]->inputs; i++)
                if (g->nodes[n]->in[i] && (size_t)g->nodes[n]->out[o]->id >= told)
                    varies[g->nodes[n]->out[o]->id] |= varies[g->nodes[n]->in[i]->id];
    for (size_t v = 0; varies && v < k->count; v++) {
        struct kept_value *at = &k->at[v];
        const struct tensor *type = (size_t)at->value->id < told ? &types[at->value->id] : NULL;

        if (!varies[at->value->id])
            continue;
        at->bytes = k->bytes = k->again = k->arena = -1;
        for (int d = 0; d < at->type.rank; d++)
            at->type.dims[d] = type && type->rank == at->type.rank ? type->dims[d] : UNKNOWN;
    }
    return varies;
}

bool kept_settle(struct kept *k, const struct program *p, const struct tensor *types, size_t told, struct arena *arena,
                 struct report *r)
{
    const size_t values = p->graph->value_count;
    struct arena scratch = { .budget = arena->budget };
    struct settling s = { .kept = k,
                          .p = p,
                          .read = arena_array(&scratch, values, sizeof *s.read, r),
                          .counted = arena_array(&scratch, values, sizeof *s.counted, r),
                          .asked = arena_array(&scratch, values, sizeof *s.asked, r) };
    bool ok = s.read && s.counted && s.asked;

    if (ok && !k->settled) {
        find_read(&s);
        for (size_t i = 0; i < k->count; i++)
            settle(&s, &k->at[i]);
        ok = add_others(&s, arena, r);
        k->arena = p->arena_bytes;
        if (ok && types)
            ok = forget_sizes(k, p->graph, types, told, &scratch, r);
        k->settled = ok;
    }
    arena_release(&scratch);
    return ok;
}
