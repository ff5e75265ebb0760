/* What the machine can do at most: measured, so that times can be told as a share of it. */
#ifndef KILN_RUN_MACHINE_H
#define KILN_RUN_MACHINE_H

#include "base/pool.h"

struct machine_peak {
    double flops; /* float multiply-adds out of the innermost cache, a second, counted as two each */
    double bytes; /* read from memory, a second */
};

/* With all threads of the pool, whose budget is `b`; takes about a tenth of a second, and memory for a moment. */
bool machine_measure(struct machine_peak *out, struct pool *pool, struct budget *b, struct report *r);

#endif
