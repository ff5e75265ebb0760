#include "kernels/parts.h"
#include "ops/cost.h"
#include "ops/layout.h"
#include "ops/pooling.h"

bool pooling_channels_last(const struct node *n, int rank, void *attrs)
{
    struct pooling_attrs *a = attrs;

    a->channels_last = (rank == 3 || rank == 4) && !(n->slots > 1 && n->out[1]);
    return a->channels_last;
}

bool pooling_shape(struct infer *i, const struct pooling_attrs *a, const struct tensor *x, struct pool_shape *s)
{
    const struct tensor onnx = layout_onnx(a->channels_last, x);
    struct window w;

    if (x->rank < 3)
        return i && infer_error(i, "'X' has %d dimensions, must have at least 3", x->rank);
    if (!window_read(i, &a->window, &onnx, NULL, &w) || !window_slide(i, &a->window, &w))
        return false;
    *s = (struct pool_shape){ .planes = a->channels_last ? x->dims[0] : x->dims[0] * x->dims[1],
                              .rank = w.rank,
                              .count_include_pad = a->count_include_pad,
                              .sum = a->sum,
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

bool pooling_out(struct infer *i, const struct pooling_attrs *a, int k, enum dtype dtype, const struct pool_shape *s)
{
    const struct tensor *x = typed_in(i, 0);
    struct tensor y = layout_onnx(a->channels_last, x);
    int64_t dims[MAX_RANK];

    for (int d = 0; d < s->rank; d++)
        y.dims[2 + d] = s->out[d];
    layout_dims(a->channels_last, y.rank, y.dims, dims);
    return set_out(i, k, dtype, y.rank, dims);
}

double pooling_flops(const struct pooling_attrs *a, const struct tensor *x, const struct tensor *pooled)
{
    double taps = 1;
    struct pool_shape s;

    if (!pooling_shape(NULL, a, x, &s))
        return 0;
    for (int d = 0; d < s.rank; d++)
        taps *= (double)lesser(s.kernel[d], s.in[d]);
    return taps * cost_count(pooled);
}
