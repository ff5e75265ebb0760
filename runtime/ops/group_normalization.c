/* GroupNormalization, https://onnx.ai/onnx/operators/onnx__GroupNormalization.html; Wu and He, arXiv:1803.08494
 *
 *   Y = scale * (X - mean) / sqrt(variance + epsilon) + bias
 *
 * with mean and variance of each of num_groups groups of neighbouring channels of each sample: X becomes [N, num_groups,
 * all others] for that. Scale and bias are a number for each channel, before opset 21 one for each group. Mean and
 * variance are computed in float, or in double where X is. */
#include "ops/normalised.h"

enum { X, SCALE, BIAS }; /* inputs */

struct groups {
    int64_t count;
    float epsilon;
    bool scaled; /* one scale for each group */
};

/* -- read -- */

static bool parse_21(struct parse *p, void *attrs)
{
    struct groups *a = attrs;
    const int64_t stash = attr_int(p, "stash_type", F32);

    a->count = attr_int(p, "num_groups", 0);
    a->epsilon = attr_float(p, "epsilon", 1e-5f);
    if (!attr_given(p, "num_groups"))
        return parse_error(p, "attribute 'num_groups' is missing");
    if (a->count < 1)
        return parse_error(p, "num_groups is %lld, must be at least 1", (long long)a->count);
    if (!(a->epsilon >= 0))
        return parse_error(p, "epsilon is %g, must be at least 0", (double)a->epsilon);
    return stash == F32 || stash == F64 || stash == F16 || stash == BF16 ||
           parse_error(p, "stash_type is %lld, must be a type of floating-point numbers", (long long)stash);
}

static bool parse_18(struct parse *p, void *attrs)
{
    struct groups *a = attrs;

    a->scaled = true;
    a->count = attr_int(p, "num_groups", 0);
    a->epsilon = attr_float(p, "epsilon", 1e-5f);
    return (a->count >= 1 && a->epsilon >= 0) ||
           parse_error(p, "num_groups is %lld and epsilon %g, must be at least 1 and 0", (long long)a->count,
                       (double)a->epsilon);
}

/* -- as other operators -- */

/* X as [N, groups, all others]. */
static struct value *grouped(struct emitter *e, const struct groups *a, struct value *x)
{
    struct value *groups = emit_ints(e, 1, &a->count);
    struct value *each = emit(e, "ReduceProd", "keepdims=1", 1, emit(e, "Shape", "start=1", 1, x));

    return emit(e, "Reshape", "allowzero=1", 2, x,
                emit(e, "Concat", "axis=0", 3, emit(e, "Shape", "start=0 end=1", 1, x), groups,
                     emit(e, "Div", "", 2, each, groups)));
}

/* v, one for each group, along dimension 1 of three. */
static struct value *along_groups(struct emitter *e, struct value *v)
{
    const int64_t last = 1;

    return emit(e, "Unsqueeze", "", 2, v, emit_ints(e, 1, &last));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct groups *const a = n->attrs;
    const int64_t last = 2;
    struct value *shape = emit(e, "Shape", "", 1, n->in[X]);
    struct value *y =
        emit_normalised(e, n, grouped(e, a, n->in[X]), emit_ints(e, 1, &last), a->epsilon, EPSILON_IN_ROOT);

    if (a->scaled) {
        y = emit(e, "Mul", "", 2, y, along_groups(e, n->in[SCALE]));
        y = emit(e, "Add", "", 2, y, along_groups(e, n->in[BIAS]));
    }
    y = emit(e, "Reshape", "allowzero=1", 2, y, shape);
    out[0] = a->scaled ? y : emit_per_channel(e, n, y, n->in[SCALE], n->in[BIAS]);
    return out[0];
}

/* -- test -- */

static const struct op_case cases_18[] = {
    { "f32[2,4,3,2] f32[2] f32[2]", "num_groups=2", "f32[2,4,3,2]", 7 },
    { "f64[2,6,3] f64[3] f64[3]", "num_groups=3 epsilon=0.01", "f64[2,6,3]", 7 },
    { "f64[2,3,2,2,2] f64[1] f64[1]", "num_groups=1", "f64[2,3,2,2,2]", 7 },
    { "f16[2,4,3] f16[4] f16[4]", "num_groups=4", "f16[2,4,3]", 0 },
    { "bf16[2,4,3] bf16[2] bf16[2]", "num_groups=2", "bf16[2,4,3]", 0 },
    { "f32[0,4,3] f32[2] f32[2]", "num_groups=2", "f32[0,4,3]", 0 },
    { 0 },
};
static const struct op_case cases_21[] = {
    { "f32[2,4,3,2] f32[4] f32[4]", "num_groups=2", "f32[2,4,3,2]", 7 },
    { "f64[2,6,3] f64[6] f64[6]", "num_groups=3 epsilon=0.01", "f64[2,6,3]", 7 },
    { "f64[2,3,2,2,2] f64[3] f64[3]", "num_groups=1 stash_type=1", "f64[2,3,2,2,2]", 7 },
    { "f64[2,6] f64[6] f64[6]", "num_groups=2", "f64[2,6]", 7 },
    { "f16[2,4,3] f16[4] f16[4]", "num_groups=4", "f16[2,4,3]", 0 },
    { "bf16[2,4,3] bf16[4] bf16[4]", "num_groups=2", "bf16[2,4,3]", 0 },
    { "f32[0,4,3] f32[4] f32[4]", "num_groups=2", "f32[0,4,3]", 0 },
    { 0 },
};

#define ROW(version, parser, tests)                                                                                    \
    {                                                                                                                  \
        .since = version, .signature = "T X, T scale, T bias -> T Y", .types = "T: floats bf16",                       \
        .attrs_size = sizeof(struct groups), .parse = parser, .expand = expand, .cases = tests                         \
    }

const struct op op_group_normalization = {
    .name = "GroupNormalization",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(21, parse_21, cases_21), ROW(18, parse_18, cases_18), { 0 } },
};
