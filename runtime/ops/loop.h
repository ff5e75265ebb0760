/* What the parts of Loop share. */
#ifndef KILN_OPS_LOOP_H
#define KILN_OPS_LOOP_H

#include "ops/op.h"

enum { M, CONDITION, CARRIED }; /* inputs; the body's are the iteration, the condition, then the carried ones */

struct loop {
    const struct graph *body;
    int carried, scans;
};

/* Is `v` the body's input k as it comes? */
bool loop_passes_on(const struct loop *a, const struct value *v, int k);
/* Does the body always give the condition that it got? */
bool loop_keeps_condition(const struct loop *a);
/* How many iterations there will be; UNKNOWN stays where only running tells. `before`: types of the body's inputs, with
 * data of what is the same in each. */
bool loop_rounds(struct infer *i, const struct loop *a, const struct tensor *before, int64_t *rounds);

#endif
