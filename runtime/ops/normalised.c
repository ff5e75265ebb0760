#include "ops/normalised.h"
#include "ops/rank.h"
#include "ops/widen.h"

bool axis_parse(struct parse *p, int64_t *axis)
{
    *axis = attr_int(p, "axis", -1);
    return (*axis >= -MAX_RANK && *axis < MAX_RANK) ||
           parse_error(p, "axis is %lld, at most %d dimensions are supported", (long long)*axis, (int)MAX_RANK);
}

bool epsilon_parse(struct parse *p, float *epsilon, float fallback)
{
    *epsilon = attr_float(p, "epsilon", fallback);
    return *epsilon >= 0 || parse_error(p, "epsilon is %g, must be at least 0", (double)*epsilon);
}

struct value *emit_axes_from(struct emitter *e, const struct node *n, int64_t axis)
{
    const int rank = known_input(n, 0).rank;
    int64_t axes[MAX_RANK];
    int count = 0;

    if (axis >= 0 && rank < 0)
        return emit(e, "Range", "", 3, emit_scalar(e, I64, (double)axis),
                    emit(e, "Size", "", 1, emit(e, "Shape", "", 1, n->in[0])), emit_scalar(e, I64, 1));
    for (int64_t d = axis; d < (axis < 0 ? 0 : rank); d++) /* from the end on they need no rank */
        axes[count++] = d;
    return emit_ints(e, count, axes);
}

/* v, a vector, with dimensions of 1 behind it, so that it broadcasts along dimension 1. */
static struct value *along_channels(struct emitter *e, const struct node *n, struct value *v)
{
    const int rank = known_input(n, 0).rank;
    const int64_t one = 1, two = 2;
    int64_t axes[MAX_RANK];
    struct value *more;

    for (int d = 2; d < rank && d < MAX_RANK; d++)
        axes[d - 2] = d - 1;
    if (rank >= 0)
        return rank > 2 ? emit(e, "Unsqueeze", "", 2, v, emit_ints(e, rank - 2, axes)) : v;
    more = emit(e, "Sub", "", 2, emit(e, "Shape", "", 1, emit(e, "Shape", "", 1, n->in[0])), emit_ints(e, 1, &two));
    more = emit(e, "Expand", "", 2, emit_ints(e, 1, &one), more);
    return emit(e, "Reshape", "allowzero=1", 2, v, emit(e, "Concat", "axis=0", 2, emit(e, "Shape", "", 1, v), more));
}

struct value *emit_per_channel(struct emitter *e, const struct node *n, struct value *y, struct value *scale,
                               struct value *shift)
{
    y = emit(e, "Mul", "", 2, y, along_channels(e, n, scale));
    return emit(e, "Add", "", 2, y, along_channels(e, n, shift));
}

struct value *emit_scalar_like(struct emitter *e, double v, struct value *x, enum dtype dtype)
{
    return dtype ? emit_scalar(e, dtype_compute(dtype), v) : emit(e, "CastLike", "", 2, emit_scalar(e, F64, v), x);
}

static const char mean_of[] = "keepdims=1 noop_with_empty_axes=1";

struct value *emit_normalised(struct emitter *e, const struct node *n, struct value *x, struct value *axes,
                              float epsilon, enum epsilon_place place)
{
    const enum dtype dtype = known_input(n, 0).dtype;
    struct value *wide = emit_widened(e, x, dtype, WIDEN_HALVES), *y;

    wide = emit(e, "Sub", "", 2, wide, emit(e, "ReduceMean", mean_of, 2, wide, axes));
    y = emit(e, "ReduceMean", mean_of, 2, emit(e, "Mul", "", 2, wide, wide), axes);
    if (place == EPSILON_IN_ROOT)
        y = emit(e, "Add", "", 2, y, emit_scalar_like(e, (double)epsilon, y, dtype));
    y = emit(e, "Sqrt", "", 1, y);
    if (place == EPSILON_BEHIND_ROOT)
        y = emit(e, "Add", "", 2, y, emit_scalar_like(e, (double)epsilon, y, dtype));
    y = emit(e, "Div", "", 2, wide, y);
    return emit_narrowed(e, y, x, dtype, WIDEN_HALVES);
}

struct value *emit_root_mean_square(struct emitter *e, const struct node *n, struct value *x, struct value *axes,
                                    float epsilon)
{
    struct value *y = emit(e, "ReduceMean", mean_of, 2, emit(e, "Mul", "", 2, x, x), axes);

    y = emit(e, "Add", "", 2, y, emit_scalar_like(e, (double)epsilon, x, known_input(n, 0).dtype));
    return emit(e, "Sqrt", "", 1, y);
}
