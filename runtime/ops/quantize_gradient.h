/* Gradients of quantising and back, straight through the rounding: with v = x / scale, y = saturate(round(v) + zero point)
 * is differentiated as v + zero point where that has a place in the type of y, which is asked of the rounded value, and is
 * constant elsewhere.
 *
 *   quantising    dx = dy / scale,  dscale = sum (dy * -v / scale)      of those x that are not saturated, else 0
 *   and back      dx = dy * scale,  dscale = sum (dy * (x - zero point))
 *
 * So x that goes through both has dx = dy where it is not saturated, as PyTorch's fake_quantize; and the scale of both,
 * where it learns, has dy * (round(v) - v), and dy times the least or greatest difference where x is saturated, as Esser
 * and others say (Learned Step Size Quantization, arXiv:1902.08153) and PyTorch's _fake_quantize_learnable does. What flows
 * to the quantised value is of float, whatever type of float comes in. Zero points have no gradient. */
#ifndef KILN_OPS_QUANTIZE_GRADIENT_H
#define KILN_OPS_QUANTIZE_GRADIENT_H

#include "ops/granularity.h"

struct quantization {
    const struct granularity_attrs *granularity;
    struct value *scale, *zero; /* NULL: 0 */
    const struct tensor *scale_type;
    enum dtype to;        /* what is quantised to */
    enum dtype precision; /* in which x is divided, after both have been rounded to it */
};

/* Gives input QUANTIZE_X its gradient, and input QUANTIZE_SCALE, where it is wanted. */
bool quantize_gradient(struct backward *b, const struct quantization *q);
/* Of `scale`, `zero` and x as floats. */
bool dequantize_gradient(struct backward *b, const struct granularity_attrs *granularity);

#endif
