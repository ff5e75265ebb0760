/* Which parameters a gradient reaches from the outputs that learn: told from operators and types alone, before anything
 * is planned. */
#ifndef KILN_TRAIN_REACH_H
#define KILN_TRAIN_REACH_H

#include "train/trainable.h"

enum reach {
    REACH_GRADIENT, /* by nodes with gradients alone */
    REACH_NOWHERE,  /* no output that learns depends on it */
    REACH_PIECES,   /* what depends on it is constant in pieces: sizes, indices, comparisons */
    REACH_BLOCKED   /* there is a node without a gradient on a way that would be gone back */
};

struct reached {
    enum reach how;
    const struct node *by; /* BLOCKED: the node */
};

/* By place in p->at, also of those that do not train. NULL with an error. */
struct reached *parameters_reach(const struct parameters *p, const struct graph *g, const struct value *const *outputs,
                                 size_t count, struct arena *arena, struct report *r);

/* What would train and is not reached keeps its value, as role and `why` say. Where no gradient reaches anything, what an
 * output depends on stays as it is: the error that training ends in says why. Memory is the arena's. */
bool parameters_leave(struct parameters *p, const struct reached *reached, struct arena *arena, struct report *r);

#endif
