#include "ops/layout.h"
#include "ops/move.h"

int layout_wrap(bool channels_last, int rank, int64_t axis)
{
    const int at = wrap_axis(axis, rank);

    return at < 0 ? -1 : layout_axis(channels_last && rank > 1, rank, at);
}

struct tensor layout_onnx(bool channels_last, const struct tensor *x)
{
    struct tensor t = *x;

    for (int d = 0; d < x->rank && x->rank > 1; d++)
        t.dims[d] = x->dims[layout_axis(channels_last, x->rank, d)];
    return t;
}

void layout_dims(bool channels_last, int rank, const int64_t *onnx, int64_t *dims)
{
    for (int d = 0; d < rank; d++)
        dims[rank > 1 ? layout_axis(channels_last, rank, d) : d] = onnx[d];
}

struct value *emit_layout(struct emitter *e, struct value *x, int rank, bool channels_last)
{
    int64_t perm[MAX_RANK];

    for (int d = 0; d < rank; d++) {
        const int last = layout_axis(true, rank, d); /* where ONNX' dimension d lies */

        perm[channels_last ? last : d] = channels_last ? d : last;
    }
    return emit_transposed(e, x, rank, perm);
}

void layout_copy(const struct kernels *k, struct pool *pool, const struct tensor *x, bool channels_last,
                 const void *from, void *to)
{
    struct move m = { .size = dtype_size(x->dtype), .rank = x->rank };
    int64_t strides[MAX_RANK];

    /* what is ONNX' on one side is dimension d there, and layout_axis(d) on the other */
    move_strides(x->rank, x->dims, strides);
    for (int d = 0; d < x->rank; d++) {
        const int last = layout_axis(true, x->rank, d), at = channels_last ? last : d, in = channels_last ? d : last;

        m.dims[at] = x->dims[in];
        m.in[at] = strides[in];
    }
    move_strides(x->rank, m.dims, m.out);
    move_run(k, pool, &m, from, to);
}
