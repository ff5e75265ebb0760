/* What gradients of several operators have in common that are written in the standard's operators (op_def.plain). */
#ifndef KILN_OPS_SPELLED_H
#define KILN_OPS_SPELLED_H

#include "kernels/conv.h"
#include "ops/op.h"

/* v, of that shape, has along `axis` what is to be added up at the places that `indices`, a vector, names along it: a tensor that
 * has `size` there. */
struct value *emit_added_up(struct emitter *e, struct value *v, enum dtype dtype, int rank, const int64_t *dims,
                            int axis, struct value *indices, int64_t size);

/* Of the convolution `s` of an image [batch, in_channels, in...] with weights, whose result is `pixels`: */
/* what the image is given of what the pixels are given, */
struct value *emit_conv_back(struct emitter *e, const struct conv_shape *s, struct value *pixels,
                             struct value *weights);
/* what the weights are, */
struct value *emit_conv_weights(struct emitter *e, const struct conv_shape *s, struct value *image,
                                struct value *pixels);
/* and the convolution itself. */
struct value *emit_conv(struct emitter *e, const struct conv_shape *s, struct value *image, struct value *weights);
/* The sum over all but the channels, dimension 1. */
struct value *emit_channel_sums(struct emitter *e, struct value *v, int rank);

#endif
