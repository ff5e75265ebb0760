/* What Gather shares: what flows back through many of them flows back through one. */
#ifndef KILN_OPS_GATHER_H
#define KILN_OPS_GATHER_H

#include "ops/op.h"

struct gather {
    int64_t axis;
};

/* Gather of any type: the standard's newest has none of 8 bits and less but bool, int8 and uint8. */
extern const struct op gather_any;
/* The gradient of Gather's data, which has x' type. */
struct value *gather_back(struct emitter *e, struct value *dy, struct value *indices, int64_t axis,
                          const struct tensor *x);

#endif
