#include "ops/pooling.h"

bool pooling_shape(struct infer *i, const struct pooling_attrs *a, const struct tensor *x, struct pool_shape *s)
{
    struct window w;

    if (x->rank < 3)
        return i && infer_error(i, "'X' has %d dimensions, must have at least 3", x->rank);
    if (!window_read(i, &a->window, x, NULL, &w) || !window_slide(i, &a->window, &w))
        return false;
    *s = (struct pool_shape){ .planes = x->dims[0] * x->dims[1],
                              .rank = w.rank,
                              .count_include_pad = a->count_include_pad,
                              .column_major = a->column_major };
    for (int d = 0; d < w.rank; d++) {
        s->in[d] = w.in[d];
        s->out[d] = w.out[d];
        s->kernel[d] = w.kernel[d];
        s->strides[d] = w.strides[d];
        s->dilations[d] = w.dilations[d];
        s->pads_begin[d] = w.pads_begin[d];
        s->pads_end[d] = w.pads_end[d];
    }
    return true;
}

bool pooling_out(struct infer *i, int k, enum dtype dtype, const struct pool_shape *s)
{
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[MAX_RANK] = { x->dims[0], x->dims[1] };

    for (int d = 0; d < s->rank; d++)
        dims[2 + d] = s->out[d];
    return set_out(i, k, dtype, x->rank, dims);
}
