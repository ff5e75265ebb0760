/* Products of float matrices by tiles (tile.h): what gemm() takes where it is the better way, which is for all but
 * strides that no vector can follow.
 *
 * Vectors run along a row of C, over columns of B that are read as they lie where they are contiguous, and else packed:
 * into panels of whole vectors, by the thread that needs them or, where B does not change, once. Or the product is
 * turned: vectors run along columns of C, over rows of A, and the results are transposed on their way out; that is
 * better where A is the smaller one. What each way costs is reckoned from the shape alone. */
#ifndef KILN_KERNELS_DENSE_H
#define KILN_KERNELS_DENSE_H

#include "kernels/gemm.h"

/* Is this the way for one product of g's shape? Looks at everything but the pointers. */
bool dense_fits(const struct kernels *k, const struct gemm *g);
size_t dense_scratch(const struct kernels *k, const struct gemm *g, int threads);
/* g without its batch; a, b and c in place of g's. */
void dense(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *a, const float *b, float *c,
           void *scratch);

/* Bytes of B in panels for g.packed, 0 where B is better read as it lies; and how it gets there. */
size_t dense_packed_bytes(const struct kernels *k, const struct gemm *g);
void dense_pack(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *b, void *packed);

#endif
