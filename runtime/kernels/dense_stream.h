/* Products of few rows with many: C = A B + beta C where A and C are small, B is big and lies by rows. B is read once,
 * in the order in which it lies, while C waits in the cache. The depth is cut among threads, so that each reads rows of
 * B: in training they are the rows that it has updated (optimisers cut parameters by the order in memory, too), and
 * that its own cache may have. */
#ifndef KILN_KERNELS_DENSE_STREAM_H
#define KILN_KERNELS_DENSE_STREAM_H

#include "kernels/gemm.h"

/* Is this the way for one product of g's shape? Looks at everything but the pointers; bias, residual and relu are left
 * to the caller. */
bool dense_stream_fits(const struct kernels *k, const struct gemm *g);
size_t dense_stream_scratch(const struct gemm *g);
/* g without its batch; a, b and c in place of g's. */
void dense_stream(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *a, const float *b,
                  float *c, void *scratch);

#endif
