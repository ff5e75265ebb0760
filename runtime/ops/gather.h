/* What Gather shares: what flows back through many of them flows back through one. */
#ifndef KILN_OPS_GATHER_H
#define KILN_OPS_GATHER_H

#include "ops/op.h"

struct gather {
    int64_t axis;
};

/* The gradient of Gather's data, which has x' type. */
struct value *gather_back(struct emitter *e, struct value *dy, struct value *indices, int64_t axis,
                          const struct tensor *x);

#endif
