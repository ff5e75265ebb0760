/* Operators without gradient, and which of them are in the way of training. */
#ifndef KILN_INSPECT_OBSTACLES_H
#define KILN_INSPECT_OBSTACLES_H

#include "inspect/open_types.h"
#include "train/trainable.h"

struct obstacle {
    const char *op, *reason;
    int nodes;
    bool in_the_way; /* reads floats that depend on what trains, and makes floats */
};

enum { MAX_OBSTACLES = 64 };
struct obstacles {
    struct obstacle at[MAX_OBSTACLES]; /* one for each operator */
    size_t count;
};

bool obstacles_find(struct obstacles *o, const struct open_types *types, const struct parameters *p,
                    struct arena *arena, struct report *r);

#endif
