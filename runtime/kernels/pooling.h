/* Max and average pooling in any number of spatial dimensions: x [planes, in...] to y [planes, out...], planes being
 * batch * channels. Parallel over planes. No scratch. */
#ifndef KILN_KERNELS_POOLING_H
#define KILN_KERNELS_POOLING_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

struct pool_shape {
    int64_t planes;
    int rank;
    int64_t in[MAX_RANK], out[MAX_RANK], kernel[MAX_RANK];
    int64_t strides[MAX_RANK], dilations[MAX_RANK];
    int64_t pads_begin[MAX_RANK], pads_end[MAX_RANK]; /* the end's count for average pooling with count_include_pad */
    bool count_include_pad;
    bool sum;          /* average pooling: the divisor is 1 */
    bool column_major; /* the indices of max pooling count columns first (storage_order 1) */
};

/* dtype is F32, F64, F16, BF16, I8 or U8. The first maximal element in row-major order wins, NaN wins over everything.
 * `indices` (NULL where not wanted) are flat in the whole of x [N, C, in...], as the standard has them. A window
 * without any element (all padding) gives the type's lowest value and index -1. */
void max_pool(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype, const void *x,
              void *y, int64_t *indices);
/* dx gets dy where x won; every element of dx is written. Floats only. */
void max_pool_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype,
                   const void *x, const void *dy, void *dx);

/* dtype is F32, F64, F16 or BF16. The divisor counts elements of the padded input (count_include_pad; what ceil_mode
 * adds beyond the pads is never counted) or of x. */
void average_pool(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype,
                  const void *x, void *y);
void average_pool_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype,
                       const void *dy, void *dx);

#endif
