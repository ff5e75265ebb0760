/* The attributes of Gemm, for passes (plan/pass.h). */
#ifndef KILN_OPS_GEMM_H
#define KILN_OPS_GEMM_H

#include "ops/op.h"

struct gemm_attrs {
    float alpha, beta;
    bool trans_a, trans_b;
    bool relu; /* a Relu that a pass has put in */
};

#endif
