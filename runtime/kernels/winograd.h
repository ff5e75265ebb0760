/* The transforms of Winograd's minimal filtering of kernels of 3, 4 or 5 taps each way, on channels that lie last
 * (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016), at the points 0, 1, -1, 2, -2 and
 * infinity: F(4x4, 3x3), F(3x3, 4x4) and F(2x2, 5x5).
 *
 * A tile of results is A'[(G w G') * (B' x B)]A, x being its 6x6 patch: 36 products, each of them a matrix product over
 * channels, in place of 144, 144 and 100. With patches of x and tiles of the gradient the same points give the gradient
 * by weights: tiles stand for weights, and weights for results. The 36 elements of what is transformed lie in 36
 * planes. */
#ifndef KILN_KERNELS_WINOGRAD_H
#define KILN_KERNELS_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

#define WINOGRAD_HUGE 0x1p80f /* the square of 2^40 */

enum { WINOGRAD_EDGE = 6, WINOGRAD_POINTS = WINOGRAD_EDGE * WINOGRAD_EDGE, WINOGRAD_TAPS = 5 /* at most, each way */ };

/* Patches side by side, `tile` pixels from one to the next, 6x6 of them or, of a gradient, tile x tile, of an image x
 * [height, width, channels]; what lies outside of it is 0. Element i of patch t, channel c, goes to out[i * plane + t *
 * pixel + c]; c up to the next multiple of the vector is written. */
struct winograd_patches {
    const float *x;
    int64_t height, width, channels;
    int64_t row, column; /* in x, of the first patch's first pixel */
    int64_t count;
    int tile;           /* 2 to 4 */
    const float *zeros; /* as many as channels */
    float *out;         /* aligned to vectors, as are plane and pixel */
    int64_t plane, pixel;
};

/* And back: tile x tile pixels of y [height, width, channels] from each patch, which is read as it was written above.
 * The first is at (row, column); what lies outside of y is not stored. The rest is as in epilogue.h.
 *
 * What is not finite reaches all of a tile, where a plain sum keeps it to those that meet it; so do what overflows on
 * the way, and the rounding errors of what is huge. Where the squares of a channel's results in a tile are not below
 * WINOGRAD_HUGE in sum, those of channels [c, c + n), one vector, are not stored but given to `again`: sums[(i * tile +
 * j) * lanes + l] is what comes before the bias. */
struct winograd_results {
    const float *in;
    int64_t plane, pixel;
    int64_t count;
    int tile;
    float *y;
    int64_t height, width, channels, y_pixel; /* elements from one pixel of y to the next */
    int64_t row, column;
    const float *bias, *residual; /* bias [channels]; residual is laid out as y; NULL: none */
    float least, most;
    void (*again)(const struct winograd_results *w, int64_t t, int64_t c, int64_t n, const float *sums);
    const void *context;
};

/* Weights of a vector of channels, `count` of them: w is [count][taps][taps][lanes], backwards where `flip`; element i
 * of the d-th is at u[i * plane + d * step], a vector. */
struct winograd_weights {
    const float *w;
    int64_t count;
    int taps; /* 3 to 5 */
    bool flip;
    float *u;
    int64_t plane, step;
};

/* The gradient by such weights, from sums of products: u as above, dw is [count][taps][taps][lanes]. */
struct winograd_weight_gradient {
    const float *u;
    int64_t count;
    int taps;
    int64_t plane, step;
    float *dw;
};

#endif
