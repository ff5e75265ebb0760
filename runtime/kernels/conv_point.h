/* Convolution with a kernel of one element, of planes: a product of the weights with pixels, vectors along the pixels.
 * Nothing is transposed, and of what a stride leaves out nothing is read. */
#ifndef KILN_KERNELS_CONV_POINT_H
#define KILN_KERNELS_CONV_POINT_H

#include "kernels/conv.h"

bool conv_point_fits(const struct kernels *k, const struct conv_shape *s, enum dtype dtype);
size_t conv_point_scratch(const struct kernels *k, const struct conv_shape *s, int threads);
void conv_point(const struct kernels *k, struct pool *pool, const struct conv_shape *s, const float *x, const float *w,
                const float *bias, bool relu, float *y, void *scratch);

#endif
