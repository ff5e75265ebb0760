/* How long each node took, and what it had to do, as sums or as a Chrome trace
 * (https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU): open it in a browser's tracing
 * page. Events past a bound are counted, not kept. */
#ifndef KILN_RUN_PROFILE_H
#define KILN_RUN_PROFILE_H

#include "base/text.h"
#include "ops/cost.h"
#include "ops/op.h"

struct profile *profile_new(struct budget *b, struct report *r);
void profile_free(struct profile *p);
/* *p becomes a new one, or NULL; what it was is freed. */
bool profile_switch(struct profile **p, bool on, struct budget *b, struct report *r);
struct profile_mark {
    uint64_t at, told;
};
struct profile_mark profile_start(const struct profile *p); /* NULL: nothing is taken */
void profile_stop(struct profile *p, const struct step *s, struct profile_mark start);
void profile_trace(const struct profile *p, struct text *out); /* the trace, JSON */

struct profile_total {
    const char *op;     /* these belong to the profile */
    const char *node;   /* the name; NULL in sums by operator */
    const char *shapes; /* "[1,64,56,56] [64,64,3,3] -> [1,64,56,56]"; NULL likewise */
    uint64_t calls, nanoseconds;
    struct cost cost; /* of all calls */
};
/* Sums by operator, or by node and shapes, longest first; at most `most` of them. A node's time is without that of the
 * nodes in its subgraphs. */
size_t profile_totals(const struct profile *p, struct profile_total *out, size_t most);
size_t profile_nodes(const struct profile *p, struct profile_total *out, size_t most);

#endif
