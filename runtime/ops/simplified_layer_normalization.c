/* SimplifiedLayerNormalization, which onnxruntime has in the standard's own domain beside what the standard has; Zhang
 * and Sennrich, arXiv:1910.07467
 *
 *   Y = X * inv_std_var * scale        inv_std_var = 1 / sqrt(mean of X^2 + epsilon) over the dimensions from `axis` on
 *
 * The standard's RMSNormalization. */
#include "ops/normalised.h"
#include "ops/rank.h"
#include "ops/widen.h"
#include <stdio.h>

enum { X, SCALE };   /* inputs */
enum { Y, INVERSE }; /* outputs */

struct simplified {
    int64_t axis;
    float epsilon;
    enum dtype stash;
};

static bool parse(struct parse *p, void *attrs)
{
    struct simplified *a = attrs;
    const int64_t stash = attr_int(p, "stash_type", F32);

    a->stash = (enum dtype)stash;
    if (stash != F32 && stash != F64)
        return parse_error(p, "stash_type is %lld, must be %d (float) or %d (double)", (long long)stash, F32, F64);
    return axis_parse(p, &a->axis) && epsilon_parse(p, &a->epsilon, 1e-5f);
}

static struct value *inverse(struct emitter *e, const struct node *n, const struct simplified *a)
{
    struct value *x = emit_widened(e, n->in[X], known_input(n, X).dtype, WIDEN_HALVES);

    x = emit_root_mean_square(e, n, x, emit_axes_from(e, n, a->axis), a->epsilon);
    return emit_cast(e, emit(e, "Reciprocal", "", 1, x), a->stash);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct simplified *a = n->attrs;
    char attrs[64];

    snprintf(attrs, sizeof attrs, "axis=%lld epsilon=%.9e", (long long)a->axis, (double)a->epsilon);
    out[Y] = emit(e, "RMSNormalization", attrs, 2, n->in[X], n->in[SCALE]);
    if (n->out[INVERSE])
        out[INVERSE] = inverse(e, n, a);
    return out[Y];
}

static enum dtype told(const struct node *n, int k)
{
    return k == INVERSE ? ((const struct simplified *)n->attrs)->stash : known_input(n, SCALE).dtype;
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4]", "", "f32[2,3,4] f32[2,3,1]", 0 },
    { "f64[2,3,4] f64[3,4]", "axis=1 epsilon=0.01 stash_type=11", "f64[2,3,4] f64[2,1,1]", 3 },
    { "f16[2,3,4] f32[4]", "stash_type=1", "f32[2,3,4]", 0 },
    { "bf16[2,3] bf16[3]", "", "bf16[2,3]", 0 },
    { "f32[0,3] f32[3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_simplified_layer_normalization = {
    .name = "SimplifiedLayerNormalization",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, V scale -> V Y, U inv_std_var?",
                                       .types = "T: floats bf16; V: floats bf16; U: f32 f64",
                                       .attrs_size = sizeof(struct simplified),
                                       .parse = parse,
                                       .dtype = told,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
