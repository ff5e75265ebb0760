/* Softmax and log-softmax along one dimension of x [outer, n, inner], and their gradients. F32, F64, F16 or BF16;
 * halves are computed in float. The same bits for any number of threads. */
#ifndef KILN_KERNELS_SOFTMAX_H
#define KILN_KERNELS_SOFTMAX_H

#include "kernels/kernels.h"

struct softmax_shape {
    int64_t outer, n, inner;
};

size_t softmax_scratch(const struct softmax_shape *s, enum dtype dtype, int threads);
/* y may be x. */
void softmax(const struct kernels *k, struct pool *pool, const struct softmax_shape *s, enum dtype dtype, bool log_of,
             const void *x, void *y, void *scratch);
/* dx from y (the softmax, or its logarithm) and dy; dx may be dy. */
void softmax_grad(const struct kernels *k, struct pool *pool, const struct softmax_shape *s, enum dtype dtype,
                  bool log_of, const void *y, const void *dy, void *dx, void *scratch);

#endif
