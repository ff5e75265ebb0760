#include "run/profile.h"
#include "base/clock.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = 1 << 20 };

struct event {
    const struct node *node;
    uint64_t start, length; /* ns */
    uint64_t own;           /* of length: without the nodes of subgraphs */
};

struct profile {
    struct budget *budget;
    struct event *events;
    size_t count, capacity;
    uint64_t lost;
    uint64_t told; /* the sum of all own times */
};

struct profile *profile_new(struct budget *b, struct report *r)
{
    struct profile *p = budget_zalloc(b, 1, sizeof *p, r);

    if (p)
        p->budget = b;
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    budget_free(p->budget, p->events);
    budget_free(p->budget, p);
}

struct profile_mark profile_start(const struct profile *p)
{
    return p ? (struct profile_mark){ clock_now(), p->told } : (struct profile_mark){ 0 };
}

void profile_stop(struct profile *p, const struct node *n, struct profile_mark start)
{
    const uint64_t length = p ? clock_now() - start.at : 0;
    uint64_t own;

    if (!p)
        return;
    own = length - (p->told - start.told); /* what has been told since is of nodes inside this one */
    p->told += own;
    if (p->count >= MAX_EVENTS ||
        !budget_grow(p->budget, &p->events, &p->capacity, p->count + 1, sizeof *p->events, NULL))
        p->lost++;
    else
        p->events[p->count++] = (struct event){ n, start.at, length, own };
}

void profile_reset(struct profile *p)
{
    p->count = 0;
    p->lost = 0;
}

void profile_trace(const struct profile *p, struct text *out)
{
    struct json j = { .out = out };

    json_open(&j, NULL, '{');
    json_string(&j, "displayTimeUnit", "ms");
    json_open(&j, "traceEvents", '[');
    for (size_t k = 0; k < p->count; k++) {
        const struct event *e = &p->events[k];

        json_open(&j, NULL, '{');
        json_string(&j, "ph", "X");
        json_int(&j, "pid", 1);
        json_int(&j, "tid", 1);
        json_real(&j, "ts", (double)e->start / 1e3); /* microseconds */
        json_real(&j, "dur", (double)e->length / 1e3);
        json_string(&j, "name", e->node->op_name);
        json_open(&j, "args", '{');
        json_string(&j, "node", e->node->name);
        json_string(&j, "graph", e->node->graph->path);
        json_int(&j, "index", e->node->index);
        json_close(&j, '}');
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_open(&j, "otherData", '{');
    json_int(&j, "lost", (int64_t)p->lost);
    json_close(&j, '}');
    json_close(&j, '}');
}

static int longer_first(const void *a, const void *b)
{
    const struct profile_total *x = a, *y = b;

    return (x->nanoseconds < y->nanoseconds) - (x->nanoseconds > y->nanoseconds);
}

size_t profile_totals(const struct profile *p, struct profile_total *out, size_t most)
{
    size_t n = 0;

    for (size_t k = 0; k < p->count; k++) {
        size_t at = 0;

        while (at < n && strcmp(out[at].op, p->events[k].node->op_name) != 0)
            at++;
        if (at == most)
            continue;
        if (at == n)
            out[n++] = (struct profile_total){ .op = p->events[k].node->op_name };
        out[at].calls++;
        out[at].nanoseconds += p->events[k].own;
    }
    qsort(out, n, sizeof *out, longer_first);
    return n;
}
