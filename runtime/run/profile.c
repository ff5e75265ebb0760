#include "run/profile.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_EVENTS = 1 << 20 };

struct event {
    const struct node *node;
    uint64_t start, length; /* ns */
};

struct profile {
    struct budget *budget;
    struct event *events;
    size_t count, capacity;
    uint64_t lost;
};

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

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

uint64_t profile_start(struct profile *p)
{
    return p ? now() : 0;
}

void profile_stop(struct profile *p, const struct node *n, uint64_t start)
{
    const uint64_t end = p ? now() : 0;

    if (!p)
        return;
    if (p->count >= MAX_EVENTS || !budget_grow(p->budget, &p->events, &p->capacity, p->count + 1, sizeof *p->events, NULL))
        p->lost++;
    else
        p->events[p->count++] = (struct event){ n, start, end - start };
}

void profile_reset(struct profile *p)
{
    p->count = 0;
    p->lost = 0;
}

static void json_string(struct text *out, const char *s)
{
    text_add(out, "\"", 1);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            text_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            text_printf(out, "\\u%04x", (unsigned)*s);
        else
            text_add(out, s, 1);
    }
    text_add(out, "\"", 1);
}

void profile_trace(const struct profile *p, struct text *out)
{
    text_printf(out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    for (size_t k = 0; k < p->count; k++) {
        const struct event *e = &p->events[k];

        text_printf(out, "%s\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%.3f,\"dur\":%.3f,\"name\":", k ? "," : "",
                    (double)e->start / 1e3, (double)e->length / 1e3);
        json_string(out, e->node->op_name);
        text_printf(out, ",\"args\":{\"node\":");
        json_string(out, e->node->name);
        text_printf(out, ",\"graph\":");
        json_string(out, e->node->graph->path);
        text_printf(out, ",\"index\":%d}}", e->node->index);
    }
    text_printf(out, "],\"otherData\":{\"lost\":%llu}}\n", (unsigned long long)p->lost);
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
        out[at].nanoseconds += p->events[k].length;
    }
    qsort(out, n, sizeof *out, longer_first);
    return n;
}
