/* How a value is quantised, as QuantizeLinear and DequantizeLinear around it say: for the pass that makes nodes of integers
 * (pass_quantized.c). Scales and zero points are constants, values of 8 bits. */
#ifndef KILN_PLAN_QUANTIZATION_H
#define KILN_PLAN_QUANTIZATION_H

#include "graph/graph.h"

struct quantization_of {
    struct value *x;            /* what is quantised */
    enum dtype dtype;           /* its type: int8 or uint8; of a bias int32 */
    struct value *scale, *zero; /* zero: NULL for 0 */
    const float *scale_at;      /* [count], above 0 */
    int64_t count;              /* of scales: 1, or one for each index along `axis` */
    int64_t axis;               /* as the file has it: below 0 it counts from the end */
};

/* What a DequantizeLinear makes of integers of 8 bits, in float; false where the value is no such thing. */
bool quantization_read(const struct value *v, struct quantization_of *q);
/* What a QuantizeLinear makes of floats, all with one scale. */
bool quantization_written(const struct node *n, struct quantization_of *q);
double quantization_zero(const struct quantization_of *q, int64_t k); /* point k */
bool quantization_equal(const struct quantization_of *a, const struct quantization_of *b);
/* Of a constant: one scale, or one for each index of that dimension. */
bool quantization_fits(const struct quantization_of *q, int dimension);
/* May its elements be multiplied by fours (kernels/channels_last/integer.h)? */
bool quantization_in_quads(const struct quantization_of *q);
/* Is a sum of products by a constant of so many channels within int32, whatever it is multiplied by? */
bool quantization_sums_fit(const struct quantization_of *w, int64_t channels);

/* A bias that is added to sums of products of x and w, before they are quantised as y: is it a constant, a DequantizeLinear of
 * int32 or float, of one element or `channels`, within a small part of y's steps a multiple of what the products count, and so
 * far from the ends of int32 that the sum with it is within them? */
bool bias_fits(const struct value *b, const struct quantization_of *x, const struct quantization_of *w,
               const struct quantization_of *y, int64_t channels);
void bias_quantize(const struct value *b, const struct quantization_of *x, const struct quantization_of *w,
                   int64_t channels, int32_t *to);

#endif
