/* The transforms of Winograd's minimal filtering, F(4x4, 3x3) and F(3x3, 4x4), on channels that lie last (Lavin and
 * Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016), at the points 0, 1, -1, 2, -2 and infinity.
 *
 * 4x4 results of a 3x3 convolution are A'[(G w G') * (B' x B)]A, x being their 6x6 patch: 36 products, each of them a
 * matrix product over channels, in place of 144. With patches of x and 4x4 patches of the gradient the same points give
 * the 3x3 gradient by weights. The 36 elements of what is transformed lie in 36 planes. */
#ifndef KILN_KERNELS_WINOGRAD_H
#define KILN_KERNELS_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum { WINOGRAD_POINTS = 36, WINOGRAD_TILE = 4 };

/* Patches side by side, 4 pixels from one to the next, of an image x [height, width, channels]; what lies outside of it
 * is 0. Element i of patch t, channel c, goes to out[i * plane + t * pixel + c]; c up to the next multiple of the
 * vector is written. */
struct winograd_patches {
    const float *x;
    int64_t height, width, channels;
    int64_t row, column; /* in x, of the first patch's first pixel */
    int64_t count;
    const float *zeros; /* as many as channels */
    float *out;         /* aligned to vectors, as are plane and pixel */
    int64_t plane, pixel;
};

/* And back: 4x4 pixels of y [height, width, channels] from each patch, which is read as it was written above. The first
 * is at (row, column); what lies outside of y is not stored. The rest is as in epilogue.h. */
struct winograd_results {
    const float *in;
    int64_t plane, pixel;
    int64_t count;
    float *y;
    int64_t height, width, channels, y_pixel; /* elements from one pixel of y to the next */
    int64_t row, column;
    const float *bias, *residual; /* bias [channels]; residual is laid out as y; NULL: none */
    float least, most;
};

/* Weights of a vector of channels, `count` of them: w is [count][9][lanes], 9 taps of 3x3, backwards where `flip`;
 * element i of the d-th is at u[i * plane + d * step], a vector. */
struct winograd_weights {
    const float *w;
    int64_t count;
    bool flip;
    float *u;
    int64_t plane, step;
};

/* The gradient by such weights, from sums of products: u as above, dw is [count][9][lanes]. */
struct winograd_weight_gradient {
    const float *u;
    int64_t count;
    int64_t plane, step;
    float *dw;
};

#endif
