/* Max and average pooling in two spatial dimensions of float tensors whose channels lie last: x [N, H, W, C], y [N, H',
 * W', C]. What wins, and what is counted, is as in kernels/pooling.h; pool_shape.planes are images here. The same bits
 * for any number of threads. No scratch. */
#ifndef KILN_KERNELS_CHANNELS_LAST_POOL_H
#define KILN_KERNELS_CHANNELS_LAST_POOL_H

#include "kernels/pooling.h"

void max_pool_last(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                   const float *x, float *y);
/* The same of int8 or uint8. */
void max_pool_last_bytes(struct pool *pool, const struct pool_shape *s, int64_t channels, bool has_sign,
                         const uint8_t *x, uint8_t *y);
/* Their mean, in any number of dimensions: y = quantised sum of (x - x_zero) * (scale / count), as struct quantizing has it;
 * q->scale is not read. */
struct pool_bytes {
    const uint8_t *x;
    uint8_t *y;
    bool has_sign;
    uint8_t x_zero; /* of the type of x */
    float scale;    /* of x, over that of y */
    struct quantizing q;
};
void average_pool_last_bytes(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                             const struct pool_bytes *b);
/* dx gets dy where x won; every element of dx is written. */
void max_pool_last_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                        const float *x, const float *dy, float *dx);
void average_pool_last(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                       const float *x, float *y);
void average_pool_last_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                            const float *dy, float *dx);

#endif
