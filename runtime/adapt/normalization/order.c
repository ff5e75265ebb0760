/* Calls of one layer that an exporter has written in another order than they were made: tf2onnx puts the steps of a
 * TimeDistributed layer last first. Each call moves the running statistics on, and the last one most of all. */
#include "adapt/normalization/order.h"
#include "base/map.h"
#include <string.h>

struct sorting {
    Onnx__GraphProto *graph;
    struct arena *arena;
    struct report *report;
    struct map makers; /* by name of a value: its node's place, counted from 1 */
    size_t **needs;    /* by place: those that come before it, */
    size_t *need_count, *need_room;
    Onnx__NodeProto **order;
    size_t done;
};

static bool need(struct sorting *s, size_t node, size_t other)
{
    size_t **list = &s->needs[node];

    if (s->need_count[node] == s->need_room[node]) {
        const size_t room = 2 * s->need_room[node] + 4;
        size_t *more = arena_array(s->arena, room, sizeof *more, s->report);

        if (!more)
            return false;
        if (s->need_count[node])
            memcpy(more, *list, s->need_count[node] * sizeof *more);
        *list = more;
        s->need_room[node] = room;
    }
    (*list)[s->need_count[node]++] = other;
    return true;
}

/* What a node reads, and what its subgraphs do: these nest no deeper than MESSAGE_DEPTH, so this may recurse. */
static bool find_needs(struct sorting *s, size_t node, const Onnx__NodeProto *n)
{
    for (size_t k = 0; k < n->n_input; k++) {
        const size_t *maker = map_get(&s->makers, or_empty(n->input[k]));

        if (maker && *maker != node && !need(s, node, *maker))
            return false;
    }
    for (size_t k = 0; k < n->n_attribute; k++) {
        const Onnx__GraphProto *g = n->attribute[k]->g;

        for (size_t i = 0; g && i < g->n_node; i++)
            if (!find_needs(s, node, g->node[i]))
                return false;
        for (size_t i = 0; g && i < g->n_output; i++) {
            const size_t *maker = map_get(&s->makers, or_empty(g->output[i]->name));

            if (maker && *maker != node && !need(s, node, *maker))
                return false;
        }
    }
    return true;
}

static bool list_makers(struct sorting *s, size_t *places)
{
    for (size_t k = 0; k < s->graph->n_node; k++) {
        places[k] = k;
        for (size_t o = 0; o < s->graph->node[k]->n_output; o++) {
            const char *name = or_empty(s->graph->node[k]->output[o]);
            void **slot = *name ? map_put(&s->makers, name, s->report) : NULL;

            if (*name && !slot)
                return false;
            if (slot)
                *slot = &places[k];
        }
    }
    return true;
}

/* Nodes in the order of the file, each behind what it needs. False with no error where needs go round in a circle. */
static bool sort(struct sorting *s)
{
    enum { NEW, OPEN, DONE };
    const size_t count = s->graph->n_node;
    unsigned char *state = arena_array(s->arena, count, 1, s->report);
    size_t *stack = arena_array(s->arena, count, sizeof *stack, s->report);
    size_t *next = arena_array(s->arena, count, sizeof *next, s->report); /* of its needs */

    for (size_t k = 0; state && stack && next && k < count; k++) {
        size_t depth = 0;

        if (state[k] == NEW)
            stack[depth++] = k;
        while (depth) {
            const size_t at = stack[depth - 1];

            state[at] = OPEN;
            if (next[at] == s->need_count[at]) {
                state[at] = DONE;
                s->order[s->done++] = s->graph->node[at];
                depth--;
                continue;
            }
            const size_t other = s->needs[at][next[at]++];

            if (state[other] == OPEN)
                return false;
            if (state[other] == NEW)
                stack[depth++] = other;
        }
    }
    return state && stack && next;
}

bool nodes_in_order(Onnx__GraphProto *g, const struct in_order *pairs, size_t count, struct arena *arena,
                    struct report *r)
{
    struct sorting s = { .graph = g, .arena = arena, .report = r };
    size_t *places = arena_array(arena, g->n_node, sizeof *places, r);
    bool ok;

    s.needs = arena_array(arena, g->n_node, sizeof *s.needs, r);
    s.need_count = arena_array(arena, g->n_node, sizeof *s.need_count, r);
    s.need_room = arena_array(arena, g->n_node, sizeof *s.need_room, r);
    s.order = arena_array(arena, g->n_node, sizeof(Onnx__NodeProto *), r);
    if (!places || !s.needs || !s.need_count || !s.need_room || !s.order)
        return false;
    map_init(&s.makers, arena->budget);
    ok = list_makers(&s, places);
    for (size_t k = 0; ok && k < g->n_node; k++)
        ok = find_needs(&s, k, g->node[k]);
    for (size_t k = 0; ok && k < count; k++) {
        const size_t *first = map_get(&s.makers, pairs[k].first), *second = map_get(&s.makers, pairs[k].second);

        ok = !first || !second || need(&s, *second, *first);
    }
    if (ok && sort(&s))
        memcpy(g->node, s.order, g->n_node * sizeof(Onnx__NodeProto *));
    map_release(&s.makers);
    return ok && !failed(r);
}
