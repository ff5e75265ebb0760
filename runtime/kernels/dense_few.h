/* Products where one side has few rows: the other is read once, as it lies, at the speed of memory. */
#ifndef KILN_KERNELS_DENSE_FEW_H
#define KILN_KERNELS_DENSE_FEW_H

#include "kernels/gemm.h"

/* About how many cycles it takes; INFINITY where this is not a way to go. */
double dense_few_cost(const struct kernels *k, const struct gemm *g);
void dense_few(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *a, const float *b,
               float *c);

#endif
