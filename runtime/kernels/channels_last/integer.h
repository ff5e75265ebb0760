/* Convolution in two spatial dimensions of integers of 8 bits whose channels lie last, and products by a constant matrix,
 * which are convolutions of rows of pixels by a kernel of one: sums in int32, which wraps around, so that whatever order
 * they are added in, the result is the same.
 *
 *   sum[n, p, o] = bias[o] + sum over c, t of (w[o, c, t] - w_zero[o]) * (x[n, p * stride + t * dilation - pad, g(o) + c] - x_zero)
 *
 * Here x is uint8 (an int8 is one whose highest bit is turned, and its zero point likewise), and multiplied as it is: what
 * its zero point makes of a sum is the same for all pixels, and taken off at the end. What lies in the padding must then be
 * the zero point, so where there is padding, images are copied with it. Of one group, weights must be int8 without a zero
 * point, or uint8 with that of 128; depthwise they may be anything.
 *
 * The same for any number of threads. Nothing here allocates; scratch and packed weights are 64-byte aligned. */
#ifndef KILN_KERNELS_CHANNELS_LAST_INTEGER_H
#define KILN_KERNELS_CHANNELS_LAST_INTEGER_H

#include "kernels/conv.h"
#include "kernels/integer.h"

struct integer_last {
    struct conv_shape shape; /* of two dimensions */
    const uint8_t *x;
    const uint8_t *x_zero; /* NULL: 0 */
    bool x_has_sign;
    const void *packed;
    const int32_t *bias; /* by channel of the result; NULL: none */
    /* The result [N, H', W', O], either the sums, or, where that is NULL, quantised again: the sum times (w_scale[o] *
     * x_scale) / y_scale. */
    int32_t *sums;
    uint8_t *y;
    const float *w_scale;
    int64_t w_scales; /* 1, or one for each channel of the result */
    float x_scale, y_scale, zero, least, most;
};

/* Can it be done with these weights? Their zero points are known: NULL is 0. */
bool integer_last_fits(const struct conv_shape *s, const struct integer_operand *w);
/* A product of `rows` rows of `depth` numbers by a matrix of as many rows, as a convolution. */
struct conv_shape integer_last_product(int64_t rows, int64_t depth, int64_t columns);
size_t integer_last_scratch(const struct kernels *k, const struct conv_shape *s, bool x_has_sign);
void integer_last(const struct kernels *k, struct pool *pool, const struct integer_last *c, void *scratch);

/* -- integer_pack.c -- */

/* Where weight [o, c, t] lies. */
struct integer_weights {
    struct integer_operand w; /* zero points by channel of the result */
    int64_t out_step, in_step, tap_step;
};
size_t integer_last_packed(const struct kernels *k, const struct conv_shape *s); /* bytes */
void integer_last_pack(const struct kernels *k, struct pool *pool, const struct conv_shape *s,
                       const struct integer_weights *w, void *packed);

/* How a shape is computed. What is packed are the sums of the weights of each channel, then the weights themselves. */
struct integer_plan {
    bool depthwise;
    int64_t panels, wide;     /* vectors of channels of the result; lanes of them all */
    int64_t runs, run, quads; /* of one group: taps that lie side by side in x are one run of so many bytes */
    int64_t taps, pairs;      /* of taps: what is multiplied depthwise */
    bool copied;              /* images are, with padding, or so that more than the last pixel may be read */
    int64_t in[2];            /* of images as they are read */
};
struct integer_plan integer_plan(const struct kernels *k, const struct conv_shape *s, bool x_has_sign);
size_t integer_plan_sums(const struct integer_plan *p); /* bytes */

#endif
