/* "kiln.Fused": a chain of elementwise nodes as one node, made by plan/pass_fuse.c. */
#ifndef KILN_OPS_FUSED_H
#define KILN_OPS_FUSED_H

#include "kernels/chain.h"
#include "ops/op.h"

struct fused { /* the attributes */
    struct chain chain;
    const char *step_name[CHAIN_STEPS]; /* the operators, for people */
};

extern const struct op fused_op;

#endif
