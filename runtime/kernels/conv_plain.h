/* Convolution by its definition, element by element: sums, in double, over exactly those elements that meet. For what
 * faster ways get wrong where something is not finite: they multiply by zero what does not belong to a sum, or add and
 * subtract it. As slow as it looks, but that a sum ends where it is NaN. */
#ifndef KILN_KERNELS_CONV_PLAIN_H
#define KILN_KERNELS_CONV_PLAIN_H

#include "kernels/conv.h"
#include "tensor/half.h"

struct conv_plain {
    const struct conv_shape *shape;
    enum dtype dtype;
    bool channels_last; /* x and dy are; weights are ONNX' */
    const void *x, *w, *dy;
    const struct pool *pool; /* whose time is looked at (base/pool.h) */
};

/* Of y: out_channel, at out[rank]. Of dx: in_channel, at in[rank]. Of dw: the channel is that in its group. */
double conv_plain_y(const struct conv_plain *p, int64_t image, int64_t out_channel, const int64_t *at);
double conv_plain_dx(const struct conv_plain *p, int64_t image, int64_t in_channel, const int64_t *at);
double conv_plain_dw(const struct conv_plain *p, int64_t out_channel, int64_t channel, const int64_t *tap);

/* The same for elements of y, dx or dw that are NaN, in ONNX' layout, which `result` is: a plane [out...] or [in...] of
 * a channel of an image, or the weights [kernel...] from a channel to a channel. `bias` may be NULL. */
struct conv_again {
    struct conv_plain plain;
    const void *bias;
    bool relu;
    void *result;
};
void conv_again_y(const struct conv_again *a, int64_t plane);
void conv_again_dx(const struct conv_again *a, int64_t plane);
void conv_again_dw(const struct conv_again *a, int64_t pair);

/* No NaN and no infinity in a panel, whose elements are those of sums of `dtype`. (Or the sum overflows.) */
bool conv_panel_is_finite(const struct kernels *k, enum dtype dtype, const void *panel, int64_t n);

static inline double conv_element(enum dtype dtype, const void *x, int64_t i)
{
    if (dtype == F32)
        return (double)((const float *)x)[i];
    if (dtype == F64)
        return ((const double *)x)[i];
    return (double)half_to_f32(dtype, ((const uint16_t *)x)[i]);
}

#endif
