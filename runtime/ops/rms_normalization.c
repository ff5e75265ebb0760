/* RMSNormalization, https://onnx.ai/onnx/operators/onnx__RMSNormalization.html; Zhang and Sennrich, arXiv:1910.07467
 *
 *   Y = X / sqrt(mean of X^2 + epsilon) * scale        the mean over the dimensions from `axis` on
 *
 * What is before the scale is computed in float, or in double where X is, and then has the type of the scale, which is
 * broadcast. */
#include "ops/expansion.h"
#include "ops/normalised.h"
#include "ops/rank.h"
#include "ops/widen.h"

enum { X, SCALE }; /* inputs */

struct rms {
    int64_t axis;
    float epsilon;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct rms *a = attrs;
    const int64_t stash = attr_int(p, "stash_type", F32);

    if (stash != F32 && stash != F64 && stash != F16 && stash != BF16)
        return parse_error(p, "stash_type is %lld, must be a type of floating-point numbers", (long long)stash);
    return axis_parse(p, &a->axis) && epsilon_parse(p, &a->epsilon, 1e-5f);
}

/* -- as other operators -- */

static bool axis_fits(struct emitter *e, const struct node *n, int64_t axis)
{
    const int rank = known_input(n, X).rank;

    if (rank < 0 || wrap_axis(axis, rank) >= 0)
        return true;
    return expand_error(e, n, KILN_BAD_MODEL, "axis is %lld, must be in [%d, %d]", (long long)axis, -rank, rank - 1);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct rms *const a = n->attrs;
    const enum dtype dtype = known_input(n, X).dtype, to = known_input(n, SCALE).dtype;
    struct value *x, *y;

    if (!axis_fits(e, n, a->axis))
        return false;
    x = emit_widened(e, n->in[X], dtype, WIDEN_HALVES);
    y = emit(e, "Div", "", 2, x, emit_root_mean_square(e, n, x, emit_axes_from(e, n, a->axis), a->epsilon));
    if (!dtype || !to || dtype_compute(dtype) != to)
        y = emit(e, "CastLike", "", 2, y, n->in[SCALE]);
    out[0] = emit(e, "Mul", "", 2, y, n->in[SCALE]);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4]", "", "f32[2,3,4]", 3 },
    { "f64[2,3,4] f64[3,4]", "axis=1 epsilon=0.01", "f64[2,3,4]", 3 },
    { "f64[2,3,4] f64[2,3,4]", "axis=0", "f64[2,3,4]", 3 },
    { "f64[2,3,4] f64[1]", "axis=-2", "f64[2,3,4]", 3 },
    { "f16[2,3,4] f32[4]", "stash_type=1", "f32[2,3,4]", 0 },
    { "f32[2,300] f16[300]", "", "f16[2,300]", 0 },
    { "bf16[2,3] bf16[3]", "", "bf16[2,3]", 0 },
    { "f32[0,3] f32[3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_rms_normalization = {
    .name = "RMSNormalization",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 23,
                                       .signature = "T X, V scale -> V Y",
                                       .types = "T: floats bf16; V: floats bf16",
                                       .attrs_size = sizeof(struct rms),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
