/* What the machine can do at most: measured, so that times can be told as a share of it. */
#ifndef KILN_TOOLS_PEAK_H
#define KILN_TOOLS_PEAK_H

#include "base/pool.h"

struct peak {
    double flops; /* float multiply-adds out of the innermost cache, a second, counted as two each */
    double bytes; /* read from memory, a second */
};

/* With all threads of the pool; takes about a tenth of a second, and memory for a moment. */
bool peak_measure(struct peak *out, struct pool *pool, struct budget *b, struct report *r);

enum { CPU_TEXT = 128 };
const char *cpu_text(char buffer[CPU_TEXT]); /* the CPU's name, as the system tells it; returns `buffer` */

#endif
