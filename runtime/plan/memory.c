#include "plan/planner.h"
#include <stdlib.h>
#include <string.h>

/* Buffers whose lifetimes do not touch share memory. A buffer is what a value and all its views occupy; the working
 * memory of a step is a buffer that lives for that step only. Biggest first, each at the lowest offset that is free
 * during its life. That compares all pairs: past CAREFUL buffers, the others, which are the smallest, take turns in
 * slots behind. */

enum { FOREVER = INT32_MAX, CAREFUL = 4096 };

static int64_t aligned_bytes(int64_t bytes)
{
    return (int64_t)aligned((size_t)bytes);
}

struct buffer {
    int64_t bytes, at;
    int first, last; /* steps */
    int root;        /* the value it belongs to; -1: the working memory of step `first` */
};

struct lifetimes {
    int *root;  /* by value id: one whose memory it is in; itself where it has its own (root_of) */
    int *first; /* by root */
    int *last;  /* by root: the last step that reads it */
};

/* Paths are made shorter on the way, so that a long row of values in one place costs nothing. */
static int root_of(const struct lifetimes *l, int id)
{
    while (l->root[id] != id)
        id = l->root[id] = l->root[l->root[id]];
    return id;
}

static void read_at(const struct lifetimes *l, int id, int step)
{
    const int root = root_of(l, id);

    if (l->last[root] < step)
        l->last[root] = step;
}

/* Views have the root of what they look at. Steps stand in order, and a view's source is settled before it; but a
 * folded or idle node is no step, so this goes by nodes. */
static void find_roots(const struct planner *p, struct lifetimes *l)
{
    const struct graph *g = p->graph;

    for (size_t k = 0; k < g->value_count; k++)
        l->root[k] = (int)k;
    for (size_t k = 0; k < g->node_count; k++)
        for (int o = 0; o < g->nodes[k]->slots; o++) {
            const struct value *v = g->nodes[k]->out[o];

            if (v && p->program->places[v->id].kind == PLACE_VIEW)
                l->root[v->id] = p->reuse[v->id].id;
        }
}

static void find_lifetimes(const struct planner *p, struct lifetimes *l)
{
    const struct program *q = p->program;
    const struct graph *g = p->graph;

    for (size_t s = 0; s < q->step_count; s++) {
        const struct node *n = q->steps[s].node;

        for (int k = 0; k < n->inputs + n->captured; k++)
            if (n->in[k])
                read_at(l, n->in[k]->id, (int)s);
        for (int k = 0; k < n->slots; k++)
            if (q->steps[s].read[k]) {
                if (root_of(l, n->out[k]->id) == n->out[k]->id)
                    l->first[n->out[k]->id] = (int)s;
                read_at(l, n->out[k]->id, (int)s);
            }
    }
    for (size_t k = 0; p->slices && k < p->slices->edge_count; k++) /* made before all steps, side by side */
        read_at(l, p->slices->edges[k].id, 0);
    /* what the caller reads, what is carried over, and what a later segment needs lives to the end */
    for (size_t k = 0; k < g->output_count; k++)
        read_at(l, g->outputs[k]->id, FOREVER);
    for (size_t k = 0; k < q->next_state_count; k++)
        read_at(l, q->next_states[k].out, FOREVER);
    for (size_t k = 0; k < q->wanted_count; k++)
        read_at(l, q->wanted[k], FOREVER);
    for (size_t k = 0; k < g->node_count && !q->complete; k++)
        for (int i = 0; p->needed[k] && !q->done[k] && i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                read_at(l, g->nodes[k]->in[i]->id, FOREVER);
}

/* Is `in` the only way in which step `s` looks at its memory, and does no other output of it lie there? */
static bool only_use(const struct lifetimes *l, const struct program_step *s, int in, int out)
{
    const struct node *n = s->node;
    const int root = root_of(l, in);

    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && n->in[k]->id != in && root_of(l, n->in[k]->id) == root)
            return false;
    for (int k = 0; k < n->slots; k++)
        if (s->read[k] && n->out[k]->id != out && root_of(l, n->out[k]->id) == root)
            return false;
    return true;
}

/* May `out`, of step `s`, take the memory of `in`? It must die with this step, and be as big. */
static bool may_take(const struct planner *p, const struct lifetimes *l, int s, int in, int out)
{
    const struct program *q = p->program;
    const int root = in < 0 ? -1 : root_of(l, in);

    return root >= 0 && q->places[root].kind == PLACE_ARENA && l->last[root] == s &&
           aligned_bytes(tensor_bytes(&q->types[root])) >= aligned_bytes(tensor_bytes(&q->types[out])) &&
           only_use(l, &q->steps[s], in, out);
}

static void reuse_inputs(const struct planner *p, struct lifetimes *l)
{
    const struct program *q = p->program;

    for (size_t s = 0; s < q->step_count; s++)
        for (int k = 0; k < q->steps[s].node->slots; k++) {
            const int out = q->steps[s].read[k] ? q->steps[s].node->out[k]->id : -1;
            int in;

            if (out < 0 || q->places[out].kind != PLACE_ARENA || root_of(l, out) != out)
                continue;
            in = p->reuse[out].id;
            if (!may_take(p, l, (int)s, in, out))
                in = p->reuse[out].other;
            if (!may_take(p, l, (int)s, in, out))
                continue;
            l->last[root_of(l, in)] = l->last[out];
            l->root[out] = root_of(l, in); /* views of it follow */
        }
}

static int bigger_first(const void *a, const void *b)
{
    const struct buffer *x = *(const struct buffer *const *)a, *y = *(const struct buffer *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? (x->first > y->first) - (x->first < y->first)
                                : (x->root > y->root) - (x->root < y->root);
}

static int lower_first(const void *a, const void *b)
{
    const struct buffer *x = *(const struct buffer *const *)a, *y = *(const struct buffer *const *)b;

    return (x->at > y->at) - (x->at < y->at);
}

/* `placed` is kept in the order of offsets, so that the first gap found is the lowest. */
static bool place_buffers(struct buffer **order, size_t count, struct buffer **placed, int64_t *total)
{
    size_t n = 0;

    for (size_t k = 0; k < count; k++) {
        struct buffer *b = order[k];
        size_t at;

        b->at = 0;
        for (size_t j = 0; j < n; j++) {
            const struct buffer *o = placed[j];

            if (o->last < b->first || o->first > b->last)
                continue;
            if (o->at >= b->at && o->at - b->at >= b->bytes)
                break;
            if (o->at + o->bytes > b->at)
                b->at = o->at + o->bytes;
        }
        if (b->at > INT64_MAX / 2 - b->bytes)
            return false;
        for (at = n; at > 0 && lower_first(&b, &placed[at - 1]) < 0; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
        n++;
        if (b->at + b->bytes > *total)
            *total = b->at + b->bytes;
    }
    return true;
}

static int earlier_first(const void *a, const void *b)
{
    const struct buffer *x = *(const struct buffer *const *)a, *y = *(const struct buffer *const *)b;

    return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : bigger_first(a, b);
}

struct slot {
    int64_t bytes, at; /* of the biggest buffer that was ever in it */
    int next;          /* of the free ones, or of those that a step frees; -1: none */
};

/* In the order of their lives: a buffer takes the slot that was freed last, or a new one. freed[s] is the first of the
 * slots whose buffers step s reads last. */
static bool take_turns(struct planner *p, struct buffer **order, size_t count, int64_t *total)
{
    const size_t steps = p->program->step_count;
    struct slot *slots = arena_array(&p->scratch, count, sizeof *slots, p->c->report);
    int *slot_of = arena_array(&p->scratch, count, sizeof *slot_of, p->c->report);
    int *freed = arena_array(&p->scratch, steps, sizeof *freed, p->c->report);
    int used = 0, unused = -1, step = 0;

    if (!slots || !slot_of || !freed)
        return false;
    for (size_t s = 0; s < steps; s++)
        freed[s] = -1;
    qsort(order, count, sizeof *order, earlier_first);
    for (size_t k = 0; k < count; k++) {
        const struct buffer *b = order[k];
        int slot;

        for (; step < b->first; step++)
            while (freed[step] >= 0) {
                slot = freed[step];
                freed[step] = slots[slot].next;
                slots[slot].next = unused;
                unused = slot;
            }
        slot = unused >= 0 ? unused : used++;
        if (slot == unused)
            unused = slots[slot].next;
        slots[slot].bytes = slots[slot].bytes > b->bytes ? slots[slot].bytes : b->bytes;
        slot_of[k] = slot;
        if (b->last >= 0 && (size_t)b->last < steps) {
            slots[slot].next = freed[b->last];
            freed[b->last] = slot;
        }
    }
    for (int n = 0; n < used; n++) {
        slots[n].at = *total;
        if (!add_size(*total, slots[n].bytes, total))
            return false;
    }
    for (size_t k = 0; k < count; k++)
        order[k]->at = slots[slot_of[k]].at;
    return true;
}

static size_t collect(const struct planner *p, const struct lifetimes *l, struct buffer *buffers)
{
    struct program *q = p->program;
    size_t n = 0;

    for (size_t k = 0; k < q->defined_count; k++) {
        const int id = q->defined[k];

        if (q->places[id].kind == PLACE_ARENA && root_of(l, id) == id)
            buffers[n++] =
                (struct buffer){ aligned_bytes(tensor_bytes(&q->types[id])), 0, l->first[id], l->last[id], id };
    }
    for (size_t s = 0; s < q->step_count; s++)
        if (p->scratch_of[s])
            buffers[n++] = (struct buffer){ aligned_bytes(p->scratch_of[s]), 0, (int)s, (int)s, -1 };
    return n;
}

static void assign(struct planner *p, const struct lifetimes *l, const struct buffer *buffers, size_t count)
{
    struct program *q = p->program;

    for (size_t k = 0; k < count; k++)
        if (buffers[k].root < 0)
            q->steps[buffers[k].first].scratch = buffers[k].at;
        else
            q->places[buffers[k].root].at = buffers[k].at;
    for (size_t k = 0; k < q->defined_count; k++) {
        struct place *place = &q->places[q->defined[k]];
        const int root = root_of(l, q->defined[k]);

        if (place->kind == PLACE_VIEW && q->places[root].kind != PLACE_ARENA && q->types[root].data)
            q->types[q->defined[k]].data = q->types[root].data;
        if ((place->kind == PLACE_ARENA || place->kind == PLACE_VIEW) && q->places[root].kind == PLACE_ARENA)
            *place = (struct place){ .kind = PLACE_ARENA, .root = root, .at = q->places[root].at };
        else
            place->root = root;
    }
}

bool place_values(struct planner *p)
{
    const size_t values = p->graph->value_count, most = values + p->program->step_count;
    struct report *r = p->c->report;
    struct lifetimes l = { arena_array(&p->scratch, values, sizeof(int), r),
                           arena_array(&p->scratch, values, sizeof(int), r),
                           arena_array(&p->scratch, values, sizeof(int), r) };
    struct buffer *buffers = arena_array(&p->scratch, most, sizeof *buffers, r);
    struct buffer **order = arena_array(&p->scratch, most, sizeof *order, r);
    struct buffer **placed = arena_array(&p->scratch, most, sizeof *placed, r);
    size_t count, careful;

    if (!l.root || !l.first || !l.last || !buffers || !order || !placed)
        return false;
    for (size_t k = 0; k < values; k++)
        l.last[k] = -1;
    find_roots(p, &l);
    find_lifetimes(p, &l);
    reuse_inputs(p, &l);
    count = collect(p, &l, buffers);
    for (size_t k = 0; k < count; k++)
        order[k] = &buffers[k];
    qsort(order, count, sizeof *order, bigger_first);
    careful = count < CAREFUL ? count : CAREFUL;
    if (!place_buffers(order, careful, placed, &p->program->arena_bytes) ||
        (count > careful && !take_turns(p, order + careful, count - careful, &p->program->arena_bytes)))
        return fail(r, KILN_LIMIT, p->graph->path, "the values of one step need more bytes than can be counted");
    assign(p, &l, buffers, count);
    return true;
}
