#include "ops/quantize_gradient.h"
#include "kernels/parts.h"
#include "ops/quantized.h"
#include "ops/rows.h"
#include <math.h>

/* -- one scale for several elements -- */

/* How the scales lie in x. */
struct spread {
    const struct tensor *x;
    bool one;
    int axis;
    int64_t outer, size, inner; /* x around the axis */
    int64_t block, blocks;      /* along the axis; 0: none */
};

static struct spread spread_of(const struct granularity_attrs *a, const struct tensor *x, const struct tensor *scale)
{
    struct spread s = { .x = x, .one = granularity_is_one(scale) };

    if (s.one)
        return s;
    s.axis = wrap_axis(a->axis, x->rank);
    s.outer = dims_product(x->dims, 0, s.axis);
    s.size = x->dims[s.axis];
    s.inner = dims_product(x->dims, s.axis + 1, x->rank);
    if (granularity_in_blocks(a, x, scale)) {
        s.block = lesser(a->block_size, s.size ? s.size : 1);
        s.blocks = scale->dims[s.axis];
    }
    return s;
}

/* v, of the shape of the scales, so that it broadcasts to x. */
static struct value *spread(struct emitter *e, const struct spread *s, struct value *v)
{
    const int64_t apart[] = { s->outer, s->blocks, 1, s->inner }, repeated[] = { 1, 1, s->block, 1 };
    const int64_t whole[] = { s->outer, s->blocks * s->block, s->inner }, zero = 0, one = 1;
    int64_t dims[MAX_RANK];

    if (s->one)
        return emit_reshape(e, v, 0, NULL);
    if (!s->block) {
        for (int d = 0; d < s->x->rank; d++)
            dims[d] = d == s->axis ? s->size : 1;
        return emit_reshape(e, v, s->x->rank, dims);
    }
    v = emit(e, "Expand", "", 2, emit_reshape(e, v, 4, apart), emit_ints(e, 4, repeated));
    v = emit(e, "Slice", "", 4, emit_reshape(e, v, 3, whole), emit_ints(e, 1, &zero), emit_ints(e, 1, &s->size),
             emit_ints(e, 1, &one));
    return emit_reshape(e, v, s->x->rank, s->x->dims);
}

/* The sum of those elements of v, which has the shape of x, that share a scale. */
static struct value *gather(struct emitter *e, const struct spread *s, struct value *v, const struct tensor *scale)
{
    const int64_t around[] = { s->outer, s->size, s->inner },
                  more[] = { 0, 0, 0, 0, s->blocks * s->block - s->size, 0 };
    const int64_t apart[] = { s->outer, s->blocks, s->block, s->inner }, within = 2, others[] = { 0, 2 };

    if (s->one) {
        v = emit(e, "ReduceSum", "keepdims=0", 1, v);
    } else if (!s->block) {
        v = emit(e, "ReduceSum", "keepdims=0", 2, emit_reshape(e, v, 3, around), emit_ints(e, 2, others));
    } else {
        v = emit(e, "Pad", "", 2, emit_reshape(e, v, 3, around), emit_ints(e, 6, more));
        v = emit(e, "ReduceSum", "keepdims=0", 2, emit_reshape(e, v, 4, apart), emit_ints(e, 1, &within));
    }
    return emit_reshape(e, v, scale->rank, scale->dims);
}

static struct value *cast(struct emitter *e, struct value *v, enum dtype from, enum dtype to)
{
    return from == to ? v : emit_cast(e, v, to);
}

/* -- quantising -- */

/* The greatest finite number of a type of floats, and the step below it. */
static float greatest(enum dtype d, float *step)
{
    static const struct {
        enum dtype dtype;
        float most, step;
    } types[] = { { F8E4M3FN, 448, 32 }, { F8E4M3FNUZ, 240, 16 }, { F8E5M2, 57344, 8192 }, { F8E5M2FNUZ, 57344, 8192 },
                  { F4E2M1, 6, 2 },      { F6E2M3, 7.5, .5 },     { F6E3M2, 28, 4 } };

    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (types[k].dtype == d) {
            *step = types[k].step;
            return types[k].most;
        }
    *step = 0;
    return INFINITY;
}

/* Where round(v) + zero has a place in the type. That of floats is rounded as if there were more of them: half a step
 * beyond the greatest goes to it where its last bit is 0. */
static struct value *not_saturated(struct emitter *e, enum dtype to, enum dtype wide, struct value *v,
                                   struct value *zero)
{
    struct value *y = dtype_is_float(to) ? v : emit(e, "Round", "", 1, v);
    float least, most, step;

    y = zero ? emit(e, "Add", "", 2, y, zero) : y;
    if (dtype_is_float(to)) {
        most = greatest(to, &step);
        return emit(e, fmodf(most / step, 2) == 0 ? "LessOrEqual" : "Less", "", 2, emit(e, "Abs", "", 1, y),
                    emit_scalar(e, wide, (double)(most + step / 2)));
    }
    saturation(to, &least, &most);
    return emit(e, "And", "", 2, emit(e, "GreaterOrEqual", "", 2, y, emit_scalar(e, wide, (double)least)),
                emit(e, "LessOrEqual", "", 2, y, emit_scalar(e, wide, (double)most)));
}

bool quantize_gradient(struct backward *b, const struct quantization *q)
{
    const struct tensor *x = type_in(b, QUANTIZE_X);
    const struct spread s = spread_of(q->granularity, x, q->scale_type);
    const enum dtype wide = dtype_compute(q->precision), scale_dtype = q->scale_type->dtype;
    struct emitter *e = emitter_of(b);
    struct value *scale = spread(e, &s, cast(e, q->scale, scale_dtype, q->precision));
    struct value *v = emit(e, "Div", "", 2, cast(e, forward_in(b, QUANTIZE_X), x->dtype, q->precision), scale);
    struct value *zero = q->zero ? spread(e, &s, emit_cast(e, q->zero, wide)) : NULL, *flow, *inside;

    v = cast(e, v, q->precision, wide);
    scale = cast(e, scale, q->precision, wide);
    inside = not_saturated(e, q->to, wide, v, zero);
    flow = emit(e, "Div", "", 2, cast(e, upstream(b, 0), F32, wide), scale);
    if (wants(b, QUANTIZE_X))
        give(b, QUANTIZE_X, cast(e, emit(e, "Where", "", 3, inside, flow, emit_scalar(e, wide, 0)), wide, x->dtype));
    if (!wants(b, QUANTIZE_SCALE))
        return backward_ok(b);
    flow =
        emit(e, "Where", "", 3, inside, emit(e, "Neg", "", 1, emit(e, "Mul", "", 2, flow, v)), emit_scalar(e, wide, 0));
    give(b, QUANTIZE_SCALE, cast(e, gather(e, &s, flow, q->scale_type), wide, scale_dtype));
    return backward_ok(b);
}

/* -- and back -- */

bool dequantize_gradient(struct backward *b, const struct granularity_attrs *granularity)
{
    const struct tensor *x = type_in(b, QUANTIZE_X), *scale = type_in(b, QUANTIZE_SCALE), *y = type_out(b, 0);
    const struct spread s = spread_of(granularity, x, scale);
    struct emitter *e = emitter_of(b);
    struct value *flow = cast(e, upstream(b, 0), y->dtype, F32), *zero = forward_in(b, QUANTIZE_ZERO), *q;

    if (wants(b, QUANTIZE_X))
        give(b, QUANTIZE_X,
             emit(e, "Mul", "", 2, flow, spread(e, &s, cast(e, forward_in(b, QUANTIZE_SCALE), scale->dtype, F32))));
    if (!wants(b, QUANTIZE_SCALE))
        return backward_ok(b);
    q = emit_cast(e, forward_in(b, QUANTIZE_X), F32);
    if (zero)
        q = emit(e, "Sub", "", 2, q, spread(e, &s, emit_cast(e, zero, F32)));
    give(b, QUANTIZE_SCALE, cast(e, gather(e, &s, emit(e, "Mul", "", 2, flow, q), scale), F32, scale->dtype));
    return backward_ok(b);
}
