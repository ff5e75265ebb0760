/* What a node has to do, told by its shapes alone: for a profile that says how near to the machine's peak it came. */
#ifndef KILN_RUN_COST_H
#define KILN_RUN_COST_H

#include "graph/graph.h"

struct cost {
    /* A multiplication and an addition are two. Of convolutions, Gemm and MatMul and their gradients, as if nothing
     * were padding and every product were computed: Winograd's way has fewer, and may seem to pass the peak. 0 for all
     * others. */
    double flops;
    double bytes; /* read and written, each tensor once */
};

/* `in` and `out` as in a step (ops/op.h), with types; NULL where left out. */
struct cost cost_of(const struct node *n, const struct tensor *const *in, struct tensor *const *out);

#endif
