/* What a training step keeps of its forward part for the backward one: found in the step's own graph, settled by its plan. */
#ifndef KILN_TRAIN_KEPT_H
#define KILN_TRAIN_KEPT_H

#include "grad/grad.h"
#include "plan/pass.h"

enum keeping {
    KEPT,         /* it lies in memory from the forward part to the backward one */
    KEPT_AGAIN,   /* it is not kept, but made again in the backward part */
    KEPT_OUTSIDE, /* it is there anyway: a parameter, what was given, a constant, a view of such */
    KEPT_FOR      /* kept, of which no rule asks: what others are made again of */
};

struct kept_value {
    const struct node
        *by;          /* whose rule reads it; KEPT_FOR: that makes it. Of the model's graph; NULL: one of Kiln's own */
    const char *name; /* of the value, or of that which it is another form of */
    const struct value *value; /* of the step's graph */
    struct tensor type;        /* rank UNKNOWN: never planned */
    enum keeping how;
    int64_t bytes; /* -1: only running tells */
};

struct kept {
    struct kept_value *at; /* in the order of the way back */
    size_t count, capacity;
    bool *forward; /* by value id: the forward part makes it */
    size_t values;
    int64_t bytes, again; /* of all that is kept, each piece of memory once; of all that is made again */
    int64_t arena;        /* bytes of the whole step; all three -1 where only running tells a part of them */
    bool settled;
};

/* What rules read of what the forward part has, when they have just made their nodes for `q`, which has asked for their ends.
 * Memory is the arena's. NULL with an error. */
struct kept *kept_find(const struct grad_request *q, const struct forward_part *f, struct arena *arena,
                       struct report *r);
/* Tells what has become of that, by the program of the step. types[id], of the first `told` values, where
 * what is UNKNOWN only running tells; NULL: nothing is. */
bool kept_settle(struct kept *k, const struct program *p, const struct tensor *types, size_t told, struct arena *arena,
                 struct report *r);

#endif
