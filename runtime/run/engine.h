/* What all frames of a session, a trainer or a calibration share: the kernels of this CPU, threads, memory and time,
 * what is prepared of weights, and where random numbers come from. */
#ifndef KILN_RUN_ENGINE_H
#define KILN_RUN_ENGINE_H

#include "plan/program.h"
#include "run/prepared.h"

struct profile; /* run/profile.h */

struct engine {
    const struct kernels *kernels;
    struct pool *pool;
    struct budget *budget;
    struct profile *profile; /* NULL: none is taken */
    struct prepared prepared;
    bool exact;            /* no ways that are faster and round worse */
    uint64_t seed, number; /* of random numbers (op.h) */
};

struct engine_options {
    struct budget limits;    /* of memory and time; what is used of it is not looked at */
    const struct pool *pool; /* whose threads are used, `threads` then says nothing; NULL: its own */
    int threads;             /* 0: one for each CPU */
    bool exact;
    uint64_t seed;
};

/* `b`, which must outlive it, gets the limits, and its time begins: whoever calls stops it. After an error, too, it is
 * to be released. */
bool engine_init(struct engine *e, struct budget *b, const struct engine_options *o, struct report *r);
/* After all frames. */
void engine_release(struct engine *e);

/* For plans of what the engine is going to run. */
struct plan_context engine_context(const struct engine *e, struct report *r);

#endif
