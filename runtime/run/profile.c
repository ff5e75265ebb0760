#include "run/profile.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = 1 << 20, SHAPES_TEXT = 256 };

/* A node with the shapes that it met. A session may give up the graph that it ran: what is told of the node is a
 * copy. */
struct met {
    const char *op, *name, *graph, *shapes;
    int index;
    struct cost cost;
};

struct event {
    int32_t met;
    uint64_t start, length; /* ns */
    uint64_t own;           /* of length: without the nodes of subgraphs */
};

struct profile {
    struct budget *budget;
    struct arena arena; /* of shapes */
    struct met *met;
    size_t met_count, met_capacity;
    struct map places; /* of what has been met, counted from 1: by node and fingerprint */
    struct event *events;
    size_t count, capacity;
    uint64_t lost;
    uint64_t told; /* the sum of all own times */
};

struct profile *profile_new(struct budget *b, struct report *r)
{
    struct profile *p = budget_zalloc(b, 1, sizeof *p, r);

    if (!p)
        return NULL;
    p->budget = p->arena.budget = b;
    map_init(&p->places, b);
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    budget_free(p->budget, p->events);
    budget_free(p->budget, p->met);
    map_release(&p->places);
    arena_release(&p->arena);
    budget_free(p->budget, p);
}

bool profile_switch(struct profile **p, bool on, struct budget *b, struct report *r)
{
    profile_free(*p);
    *p = on ? profile_new(b, r) : NULL;
    return *p || !on;
}

/* -- nodes and their shapes -- */

static uint64_t add_fingerprint(uint64_t sum, const struct tensor *t)
{
    sum = (sum ^ (uint64_t)(t ? t->rank + 2 : 0)) * 0x100000001b3; /* FNV-1a, by words */
    for (int d = 0; t && t->kind == TENSOR && d < t->rank; d++)
        sum = (sum ^ (uint64_t)t->dims[d]) * 0x100000001b3;
    return sum;
}

/* What is told of it, too: where a graph was given up another one's nodes may lie. */
static uint64_t fingerprint_of(const struct step *s)
{
    uint64_t sum = 0xcbf29ce484222325;

    sum = (sum ^ (uintptr_t)s->node->op_name) * 0x100000001b3;
    sum = (sum ^ (uint64_t)node_origin(s->node)->index) * 0x100000001b3;
    for (const char *c = s->node->graph->path; *c; c++)
        sum = (sum ^ (uint64_t)*c) * 0x100000001b3;
    for (int k = 0; k < s->node->inputs; k++)
        sum = add_fingerprint(sum, s->in[k]);
    for (int k = 0; k < s->node->slots; k++)
        sum = add_fingerprint(sum, s->out[k]);
    return sum;
}

/* Cut where it is too long. */
static size_t put(char *text, size_t at, const char *s)
{
    const int n = snprintf(text + at, SHAPES_TEXT - at, "%s", s);

    return at + (size_t)n < SHAPES_TEXT ? at + (size_t)n : SHAPES_TEXT - 1;
}

static size_t put_shape(char *text, size_t at, const struct tensor *t)
{
    char number[32];

    if (t->kind != TENSOR || t->rank < 0)
        return put(text, at, "?");
    at = put(text, at, "[");
    for (int d = 0; d < t->rank; d++) {
        snprintf(number, sizeof number, "%s%lld", d ? "," : "", (long long)t->dims[d]);
        at = put(text, at, number);
    }
    return put(text, at, "]");
}

static void put_shapes(const struct step *s, char text[SHAPES_TEXT])
{
    size_t at = 0;

    text[0] = 0;
    for (int k = 0; k < s->node->inputs; k++) {
        at = put(text, at, k ? " " : "");
        at = s->in[k] ? put_shape(text, at, s->in[k]) : put(text, at, "-");
    }
    at = put(text, at, " ->");
    for (int k = 0; k < s->node->slots; k++)
        if (s->out[k])
            at = put_shape(text, put(text, at, " "), s->out[k]);
}

static const char *copy(struct profile *p, const char *s)
{
    return arena_string(&p->arena, s, strlen(s), NULL);
}

struct met_key {
    uint64_t node, fingerprint; /* its address; of what is told of it, and of the shapes */
};

/* Its place in p->met, or -1 where there is no memory. */
static int32_t meet(struct profile *p, const struct step *s)
{
    const struct met_key key = { (uintptr_t)s->node, fingerprint_of(s) };
    const uintptr_t place = (uintptr_t)map_get_bytes(&p->places, &key, sizeof key);
    char text[SHAPES_TEXT];
    struct met_key *own;
    struct met *m;
    void **slot;

    if (place)
        return (int32_t)place - 1;
    if (p->met_count >= MAX_EVENTS ||
        !budget_grow(p->budget, &p->met, &p->met_capacity, p->met_count + 1, sizeof *p->met, NULL))
        return -1;
    put_shapes(s, text);
    m = &p->met[p->met_count];
    *m = (struct met){ .op = copy(p, s->node->op_name),
                       .name = copy(p, node_origin(s->node)->name),
                       .graph = copy(p, s->node->graph->path),
                       .shapes = copy(p, text),
                       .index = node_origin(s->node)->index,
                       .cost = cost_of(s->node, s->in, s->out) };
    own = arena_alloc(&p->arena, sizeof *own, NULL);
    if (!m->op || !m->name || !m->graph || !m->shapes || !own)
        return -1;
    *own = key;
    slot = map_put_bytes(&p->places, own, sizeof *own, NULL);
    if (!slot)
        return -1;
    *slot = (void *)(uintptr_t)++p->met_count;
    return (int32_t)p->met_count - 1;
}

/* -- events -- */

struct profile_mark profile_start(const struct profile *p)
{
    return p ? (struct profile_mark){ clock_now(), p->told } : (struct profile_mark){ 0 };
}

void profile_stop(struct profile *p, const struct step *s, struct profile_mark start)
{
    const uint64_t length = p ? clock_now() - start.at : 0;
    uint64_t own;
    int32_t met;

    if (!p)
        return;
    own = length - (p->told - start.told); /* what has been told since is of nodes inside this one */
    p->told += own;
    if (p->count >= MAX_EVENTS || (met = meet(p, s)) < 0 ||
        !budget_grow(p->budget, &p->events, &p->capacity, p->count + 1, sizeof *p->events, NULL))
        p->lost++;
    else
        p->events[p->count++] = (struct event){ met, start.at, length, own };
}

static void trace_event(struct json *j, const struct event *e, const struct met *m, uint64_t first)
{
    json_open(j, NULL, '{');
    json_string(j, "ph", "X");
    json_int(j, "pid", 1);
    json_int(j, "tid", 1);
    json_real(j, "ts", (double)(e->start - first) / 1e3); /* microseconds */
    json_real(j, "dur", (double)e->length / 1e3);
    json_string(j, "name", m->op);
    json_open(j, "args", '{');
    json_string(j, "node", m->name);
    json_string(j, "graph", m->graph);
    json_int(j, "index", m->index);
    json_string(j, "shapes", m->shapes);
    json_real(j, "flops", m->cost.flops);
    json_real(j, "bytes", m->cost.bytes);
    json_close(j, '}');
    json_close(j, '}');
}

void profile_trace(const struct profile *p, struct text *out)
{
    struct json j = { .out = out };
    uint64_t first = UINT64_MAX; /* a node in a subgraph is told before the node around it, which started before */

    for (size_t k = 0; k < p->count; k++)
        if (p->events[k].start < first)
            first = p->events[k].start;
    json_open(&j, NULL, '{');
    json_string(&j, "displayTimeUnit", "ms");
    json_open(&j, "traceEvents", '[');
    for (size_t k = 0; k < p->count; k++)
        trace_event(&j, &p->events[k], &p->met[p->events[k].met], first);
    json_close(&j, ']');
    json_open(&j, "otherData", '{');
    json_int(&j, "lost", (int64_t)p->lost);
    json_close(&j, '}');
    json_close(&j, '}');
}

/* -- sums -- */

static int longer_first(const void *a, const void *b)
{
    const struct profile_total *x = a, *y = b;

    return (x->nanoseconds < y->nanoseconds) - (x->nanoseconds > y->nanoseconds);
}

static size_t sum_up(const struct profile *p, struct profile_total *out, size_t most, bool by_node)
{
    int32_t *place = budget_zalloc(p->budget, p->met_count, sizeof *place, NULL); /* in `out`, counted from 1 */
    size_t n = 0;

    for (size_t k = 0; place && k < p->count; k++) {
        const struct event *e = &p->events[k];
        const struct met *m = &p->met[e->met];
        size_t at = !by_node ? 0 : place[e->met] ? (size_t)place[e->met] - 1 : n;

        while (at < n && !by_node && strcmp(out[at].op, m->op) != 0)
            at++;
        if (at == most)
            continue;
        if (at == n)
            out[n++] = (struct profile_total){ .op = m->op,
                                               .node = by_node ? m->name : NULL,
                                               .shapes = by_node ? m->shapes : NULL };
        place[e->met] = (int32_t)at + 1;
        out[at].calls++;
        out[at].nanoseconds += e->own;
        out[at].cost.flops += m->cost.flops;
        out[at].cost.bytes += m->cost.bytes;
    }
    budget_free(p->budget, place);
    qsort(out, n, sizeof *out, longer_first);
    return n;
}

size_t profile_totals(const struct profile *p, struct profile_total *out, size_t most)
{
    return sum_up(p, out, most, false);
}

size_t profile_nodes(const struct profile *p, struct profile_total *out, size_t most)
{
    return sum_up(p, out, most, true);
}
