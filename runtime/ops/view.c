#include "ops/view.h"

bool view_out(struct infer *i, int rank, const int64_t *dims)
{
    view_of(i, 0, 0);
    return set_out(i, 0, typed_in(i, 0)->dtype, rank, dims);
}

bool view_gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, 0);
    struct emitter *e = emitter_of(b);

    if (wants(b, 0))
        give(b, 0, emit_reshape(e, upstream(b, 0), x->rank, x->dims));
    return backward_ok(b);
}

bool axes_mask(struct infer *i, const struct ints *axes, int rank, uint32_t *mask)
{
    *mask = 0;
    for (int k = 0; k < axes->count; k++) {
        const int axis = wrap_axis(axes->v[k], rank);

        if (axis < 0)
            return infer_error(i, "axis %lld must be in [%d, %d]", (long long)axes->v[k], -rank, rank - 1);
        if (*mask >> axis & 1)
            return infer_error(i, "axis %lld is named twice", (long long)axes->v[k]);
        *mask |= 1u << axis;
    }
    return true;
}
