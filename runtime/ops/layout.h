/* Channels last: a tensor [N, spatial..., C] in place of ONNX' [N, C, spatial...]. plan/pass_layout.c says where. */
#ifndef KILN_OPS_LAYOUT_H
#define KILN_OPS_LAYOUT_H

#include "ops/op.h"

/* Where ONNX' dimension `axis`, in [0, rank), lies; rank is at least 2. */
static inline int layout_axis(bool channels_last, int rank, int axis)
{
    return !channels_last || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
}

/* The same for an axis that may be below 0; -1 where it is none. */
int layout_wrap(bool channels_last, int rank, int64_t axis);
/* The dimensions as ONNX has them, of a tensor that lies as told. */
struct tensor layout_onnx(bool channels_last, const struct tensor *x);
/* And back: ONNX' dimensions as they lie. */
void layout_dims(bool channels_last, int rank, const int64_t *onnx, int64_t *dims);
/* x in the other layout: with channels last, or as ONNX has them. */
struct value *emit_layout(struct emitter *e, struct value *x, int rank, bool channels_last);
/* The elements of `from`, whose type is x, in the other layout: with channels last in `to`, or as ONNX has them. */
void layout_copy(const struct kernels *k, struct pool *pool, const struct tensor *x, bool channels_last,
                 const void *from, void *to);

#endif
