/* "kiln.NormBlock": batch normalisation in training with the pool and the activation after it, channels last; made by
 * plan/pass_norm.c. */
#ifndef KILN_OPS_NORM_BLOCK_H
#define KILN_OPS_NORM_BLOCK_H

#include "kernels/chain.h"
#include "ops/op.h"

struct norm_block_attrs {
    float epsilon, momentum;
    bool normal;               /* false: the pool and the activation alone, all inputs but X left out */
    bool pool;                 /* the maximum of 2x2 windows, stride 2: X is [N, H, W, C]; else [..., C] */
    const struct formula *act; /* NULL: none */
    struct numbers numbers;    /* of act */
    const char *act_name;      /* the operator, for people */
};

extern const struct op norm_block_op;

/* Can this activation stand in a block? With `pool` it must be the same before and after the maximum: it never
 * falls. */
bool norm_block_act(const struct formula *act, struct numbers numbers, bool pool);

#endif
