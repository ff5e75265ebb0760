/* Convolution of integers of 8 bits, as kernels/integer.h multiplies them, in ONNX' layout: what lies in the padding is no
 * part of a sum, as if it were the zero point.
 *
 * Weights are the rows of A, the pixels that one of them meets are B: columns for all pixels of all images, gathered as
 * many at a time as a cache holds. Depths go tap by tap, so that those of a tap are of one run of pixels each. Where a group
 * has but few channels of its result (in a depthwise convolution one), gathering would take longer than multiplying:
 * then it is direct, of planes that are widened with their padding, so that each tap is one run, or, where those would be
 * too big, of each row as it lies. */
#ifndef KILN_KERNELS_INTEGER_CONV_H
#define KILN_KERNELS_INTEGER_CONV_H

#include "kernels/conv.h"
#include "kernels/integer.h"

struct integer_conv {
    struct conv_shape shape;     /* of at least 1 spatial dimension */
    struct integer_operand x, w; /* zero points: one; one, or one for each channel of the result */
    const int16_t *packed;       /* the weights as integer_conv_pack leaves them; NULL: they are packed in scratch */
    /* Where it goes, bias, and how it is quantised again: b_scale is that of x, a_scale those of w. What follows from the
     * shape is set here. */
    struct integer_result result;
};

/* 0: the weights are best as they lie. */
size_t integer_conv_packed_bytes(const struct conv_shape *s);
void integer_conv_pack(const struct kernels *k, struct pool *pool, const struct conv_shape *s,
                       const struct integer_operand *w, int16_t *packed);
size_t integer_conv_scratch(const struct kernels *k, const struct conv_shape *s, bool packed, int threads);
void integer_conv(const struct kernels *k, struct pool *pool, const struct integer_conv *c, void *scratch);

/* Few channels of a group's result: direct. */
static inline bool integer_conv_is_direct(const struct conv_shape *s)
{
    return s->out_channels / s->groups < INTEGER_ROWS;
}
/* -- integer_direct.c -- */
void integer_conv_direct(const struct kernels *k, struct pool *pool, const struct integer_conv *c);
/* -- integer_planes.c -- */
size_t integer_planes_scratch(const struct conv_shape *s, int threads); /* 0: they would be too big */
void integer_conv_planes(const struct kernels *k, struct pool *pool, const struct integer_conv *c, void *scratch);

#endif
