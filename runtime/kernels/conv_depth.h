/* Depthwise convolution of planes: each channel of the result is made of one of the input, vectors along its rows.
 * Nothing is transposed; a plane is copied to where its rows have their pads, and where the pixels that a stride takes
 * together lie side by side. */
#ifndef KILN_KERNELS_CONV_DEPTH_H
#define KILN_KERNELS_CONV_DEPTH_H

#include "kernels/conv.h"

bool conv_depth_fits(const struct kernels *k, const struct conv_shape *s, enum dtype dtype);
size_t conv_depth_scratch(const struct kernels *k, const struct conv_shape *s, int threads);
void conv_depth(const struct kernels *k, struct pool *pool, const struct conv_shape *s, const float *x, const float *w,
                const float *bias, bool relu, float *y, void *scratch);

#endif
