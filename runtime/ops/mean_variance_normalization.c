/* MeanVarianceNormalization, https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html
 *
 *   Y = (X - mean) / (sqrt(variance) + 1e-9), both over `axes`
 *
 * The standard computes the variance as the mean of X^2 less the square of the mean, which may be below 0 where X hardly
 * varies; here it is the mean of (X - mean)^2, in float or in double where X is. Without any axes it is over all. */
#include "ops/normalised.h"

static bool parse(struct parse *p, void *attrs)
{
    struct ints *axes = attrs;

    *axes = (struct ints){ 3, { 0, 2, 3 } };
    return !attr_given(p, "axes") || attr_ints(p, "axes", axes);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct ints *const axes = n->attrs;
    struct value *over = axes->count ? emit_ints(e, axes->count, axes->v) : emit_axes_from(e, n, 0);

    out[0] = emit_normalised(e, n, n->in[0], over, 1e-9f, EPSILON_BEHIND_ROOT);
    return out[0];
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,3,4,2]", "", "f64[2,3,4,2]", 1 }, { "f32[3,5]", "axes=[1]", "f32[3,5]", 1 },                              \
        { "f64[3,2,4]", "axes=[-1,0]", "f64[3,2,4]", 1 }, { "f16[2,6]", "axes=[1]", "f16[2,6]", 0 },                   \
    {                                                                                                                  \
        "f32[0,3,2,2]", "", "f32[0,3,2,2]", 0                                                                          \
    }

static const struct op_case cases_9[] = { CASES, { 0 } };
static const struct op_case cases[] = { CASES, { "bf16[2,2,5]", "axes=[0,2]", "bf16[2,2,5]", 0 }, { 0 } };

#define ROW(version, t, tests)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = "T: " t, .attrs_size = sizeof(struct ints),              \
        .parse = parse, .expand = expand, .cases = tests                                                               \
    }

const struct op op_mean_variance_normalization = {
    .name = "MeanVarianceNormalization",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "floats bf16", cases), ROW(9, "floats", cases_9), { 0 } },
};
