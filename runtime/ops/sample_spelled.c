#include "ops/move.h"
#include "ops/sample.h"
#include <string.h>

enum { MOST_TAPS = 4 };

struct value *emit_numbers(struct emitter *e, enum dtype dtype, int count, const double *v)
{
    const struct tensor type = { .dtype = F64, .rank = 1, .dims = { count } };
    struct value *x = emit_constant(e, &type, v);

    return dtype == F64 ? x : emit_cast(e, x, dtype);
}

/* The same numbers with another dimension, of 1, behind them. */
static struct value *column(struct emitter *e, struct value *x)
{
    const int64_t last = -1;

    return emit(e, "Unsqueeze", "", 2, x, emit_ints(e, 1, &last));
}

static int taps(const struct sampler *s)
{
    return s->mode == SAMPLE_LINEAR ? 2 : s->mode == SAMPLE_NEAREST ? 1 : MOST_TAPS;
}

/* Coordinates that are too large to count with, or no numbers, as sample_points has them. */
static struct value *countable(struct emitter *e, struct value *at, enum dtype dtype)
{
    struct value *const limit = emit_scalar(e, dtype, 0x1p50), *const none = emit_scalar(e, dtype, 0);
    struct value *far = emit(e, "Mul", "", 2, emit(e, "Sign", "", 1, at), limit);

    far = emit(e, "Where", "", 3, emit(e, "IsNaN", "", 1, at), none, far);
    return emit(e, "Where", "", 3, emit(e, "Less", "", 2, emit(e, "Abs", "", 1, at), limit), at, far);
}

/* By point, axis and tap: the element, along its axis; *there is whether there is one, NULL where there always is. */
static struct value *elements(struct emitter *e, const struct sampler *s, struct value *below, struct value **there)
{
    const bool mirrors = s->outside == OUTSIDE_MIRRORED || s->outside == OUTSIDE_MIRRORED_TWICE;
    int64_t tap[MOST_TAPS], period[MAX_SPATIAL], first[MAX_SPATIAL], last[MAX_SPATIAL];
    struct value *at, *n, *zero = emit_scalar(e, I64, 0);

    for (int k = 0; k < taps(s); k++)
        tap[k] = k - (s->mode == SAMPLE_CUBIC);
    for (int d = 0; d < s->rank; d++) {
        const int64_t around = s->outside == OUTSIDE_MIRRORED ? 2 * (s->dims[d] - 1) : 2 * s->dims[d];

        period[d] = around ? around : 1;
        first[d] = period[d] - (s->outside == OUTSIDE_MIRRORED_TWICE);
        last[d] = s->dims[d] - 1;
    }
    at = emit(e, "Add", "", 2, column(e, emit_cast(e, below, I64)), emit_ints(e, taps(s), tap));
    n = column(e, emit_ints(e, s->rank, last));
    *there = NULL;
    if (s->outside == OUTSIDE_ZEROS)
        *there =
            emit(e, "And", "", 2, emit(e, "GreaterOrEqual", "", 2, at, zero), emit(e, "LessOrEqual", "", 2, at, n));
    if (!mirrors)
        return emit(e, "Min", "", 2, emit(e, "Max", "", 2, at, zero), n);
    at = emit(e, "Mod", "", 2, at, column(e, emit_ints(e, s->rank, period)));
    return emit(e, "Where", "", 3, emit(e, "LessOrEqual", "", 2, at, n), at,
                emit(e, "Sub", "", 2, column(e, emit_ints(e, s->rank, first)), at));
}

/* By point, axis and tap, of how far the points are behind the element below: a polynomial for each tap. */
static struct value *weights(struct emitter *e, const struct sampler *s, struct value *part, enum dtype dtype)
{
    static const double c = -.75;
    static const double linear[][2] = { { 1, 0 }, { -1, 1 } };
    static const double cubic[][MOST_TAPS] = {
        { 0, 1, 0, 0 }, { c, 0, -c, 0 }, { -2 * c, -(c + 3), 2 * c + 3, c }, { c, c + 2, -(c + 2), -c }
    };
    const bool smooth = s->mode == SAMPLE_CUBIC;
    const int degree = smooth ? 3 : 1;
    struct value *w = NULL;

    part = column(e, part);
    for (int k = degree; k >= 0; k--) {
        struct value *factor = emit_numbers(e, dtype, taps(s), smooth ? cubic[k] : linear[k]);

        w = w ? emit(e, "Add", "", 2, emit(e, "Mul", "", 2, w, part), factor) : factor;
    }
    return w;
}

/* What belongs to axis d of [batch, points, axes, taps], as one of the dimensions that all axes together have behind points:
 * [batch, points, 1, taps, 1]. */
static struct value *of_axis(struct emitter *e, const struct sampler *s, const struct sample_values *v,
                             struct value *all, int d)
{
    int64_t dims[MAX_RANK] = { v->batch, v->points };

    for (int k = 0; k < s->rank; k++)
        dims[2 + k] = k == d ? taps(s) : 1;
    return emit_reshape(e, emit(e, "Gather", "axis=2", 2, all, emit_scalar(e, I64, d)), 2 + s->rank, dims);
}

/* Of all axes together: `op` of them. */
static struct value *of_all(struct emitter *e, const struct sampler *s, const struct sample_values *v,
                            struct value *each, const char *op)
{
    struct value *x = of_axis(e, s, v, each, 0);

    for (int d = 1; d < s->rank; d++)
        x = emit(e, op, "", 2, x, of_axis(e, s, v, each, d));
    return x;
}

struct value *emit_samples(struct emitter *e, const struct sampler *s, const struct sample_values *v)
{
    const enum dtype wide = v->compute == F64 ? F64 : v->places; /* that weights are computed in */
    const int64_t plane = dims_product(s->dims, 0, s->rank), count = sample_elements(s);
    struct value *at = countable(e, emit_cast_from(e, v->at, v->places, wide), wide), *below, *where, *there, *w = NULL,
                 *y;

    if (!plane)
        return emit_zeros(e, v->compute, 3, (int64_t[]){ v->batch, v->channels, v->points });
    below = emit(e, s->mode == SAMPLE_NEAREST ? "Round" : "Floor", "", 1, at);
    where = elements(e, s, below, &there);
    where = emit(e, "Mul", "", 2, where, column(e, emit_ints(e, s->rank, s->strides)));
    where = emit_reshape(e, of_all(e, s, v, where, "Add"), 3, (int64_t[]){ v->batch, v->points * count, 1 });
    y = emit_reshape(e, v->x, 3, (int64_t[]){ v->batch, v->channels, plane });
    y = emit(e, "GatherND", "batch_dims=1", 2, emit(e, "Transpose", "perm=[0,2,1]", 1, y), where);
    y = emit_reshape(e, y, 4, (int64_t[]){ v->batch, v->points, count, v->channels });
    if (s->mode != SAMPLE_NEAREST)
        w = emit_cast_from(e, weights(e, s, emit(e, "Sub", "", 2, at, below), wide), wide, v->compute);
    if (there)
        w = w ? emit(e, "Where", "", 3, there, w, emit_scalar(e, v->compute, 0)) : emit_cast(e, there, v->compute);
    if (w) {
        w = emit_reshape(e, of_all(e, s, v, w, "Mul"), 4, (int64_t[]){ v->batch, v->points, 1, count });
        y = emit(e, "MatMul", "", 2, w, y);
    }
    y = emit_reshape(e, y, 3, (int64_t[]){ v->batch, v->points, v->channels });
    return emit(e, "Transpose", "perm=[0,2,1]", 1, y);
}
