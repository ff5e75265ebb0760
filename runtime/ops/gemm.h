/* The attributes of Gemm, for passes (plan/pass.h). */
#ifndef KILN_OPS_GEMM_H
#define KILN_OPS_GEMM_H

#include "ops/op.h"

struct gemm_attrs {
    float alpha, beta;
    bool trans_a, trans_b;
};

struct gemm_lowered { /* kiln.Gemm */
    struct gemm_attrs gemm;
    bool relu;                 /* max(0, y) */
    const struct fused *chain; /* at the very end. NULL: none */
};

/* The input of a kiln.Gemm that is input 1 of its chain; others follow. */
enum { GEMM_CHAIN = 3 };

#endif
