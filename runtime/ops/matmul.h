/* What passes put into a MatMul (plan/pass.h): kiln.MatMul. */
#ifndef KILN_OPS_MATMUL_H
#define KILN_OPS_MATMUL_H

#include "ops/op.h"

struct matmul_lowered {
    const struct fused *chain; /* at the very end. NULL: none */
};

/* Inputs behind those of the standard: one number for each column, which is added; the chain's input 1, and others
 * after it. */
enum { MATMUL_BIAS = 2, MATMUL_CHAIN };

#endif
