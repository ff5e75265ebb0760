/* Convolution of very small groups (depthwise), where a product of matrices would be mostly padding: row by row. F32
 * and F64. */
#ifndef KILN_KERNELS_CONV_DIRECT_H
#define KILN_KERNELS_CONV_DIRECT_H

#include "kernels/conv.h"

bool conv_is_direct(const struct conv_shape *s, enum dtype dtype);
void conv_direct_forward(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                         const void *x, const void *w, const void *bias, bool relu, void *y);
void conv_direct_dx(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                    const void *dy, const void *w, const void *bias, void *dx);
void conv_direct_dw(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                    const void *x, const void *dy, void *dw);

#endif
