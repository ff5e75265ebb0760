/* LpPool, https://onnx.ai/onnx/operators/onnx__LpPool.html
 *
 *   Y[n, c, q] = (sum over t of |X[n, c, q * stride + t * dilation - pad]|^p)^(1/p), padding left out
 *
 * Powers and roots around AveragePool's sums, in float, or in double where X is. The gradient of a norm that is 0 is 0.
 *
 * The reference multiplies AveragePool's means by the size of the kernel, which is the same but where padding is not
 * counted there; here, as in other runtimes, padding is 0. */
#include "ops/lp_norm.h"
#include "ops/pooling.h"

struct lp_pool {
    struct pooling_attrs pooling;
    int64_t p;
};

static bool parse(struct parse *p, struct lp_pool *a, unsigned form)
{
    a->pooling.sum = true;
    return lp_parse(p, &a->p) && window_parse(p, &a->pooling.window, WINDOW_KERNEL | form);
}

static bool parse_1(struct parse *p, void *attrs)
{
    struct lp_pool *a = attrs;

    a->pooling.sum = true;
    return lp_parse_1(p, &a->p) && window_parse(p, &a->pooling.window, WINDOW_KERNEL);
}

static bool parse_2(struct parse *p, void *attrs)
{
    return parse(p, attrs, 0);
}

static bool parse_18(struct parse *p, void *attrs)
{
    return parse(p, attrs, WINDOW_CEIL | WINDOW_DILATIONS);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct lp_pool *const a = n->attrs;
    const enum dtype dtype = known_input(n, 0).dtype;
    struct value *x = emit_widened(e, n->in[0], dtype, WIDEN_HALVES), *powers = emit_power(e, x, a->p, dtype), *sums;

    if (!emit_private(e, &sum_pool, &a->pooling, 1, &sums, NULL, 1, &powers))
        return false;
    out[0] = emit_narrowed(e, emit_root(e, sums, a->p, dtype), n->in[0], dtype, WIDEN_HALVES);
    return out[0];
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,3,6,4]~", "kernel_shape=[2,2] strides=[2,2]", "f64[2,3,3,2]", 1 },                                        \
        { "f64[1,2,7,7]~", "kernel_shape=[3,2] strides=[2,1] pads=[1,0,1,1] p=1", "f64[1,2,4,7]", 1 },                 \
        { "f64[1,2,5,5]~", "kernel_shape=[3,3] pads=[2,1,0,2] p=3", "f64[1,2,5,6]", 1 },                               \
        { "f32[2,2,7]~", "kernel_shape=[3]", "f32[2,2,5]", 1 },                                                        \
        { "f32[1,1,4,3,4]~", "kernel_shape=[2,2,2] strides=[2,1,2]", "f32[1,1,2,2,2]", 1 },                            \
        { "f32[1,2,5,6]~", "kernel_shape=[2,2] auto_pad='SAME_UPPER' strides=[2,2]", "f32[1,2,3,3]", 1 },              \
        { "f32[1,2,5,6]~", "kernel_shape=[2,3] auto_pad='VALID'", "f32[1,2,4,4]", 1 },                                 \
        { "f32[0,2,5,6]", "kernel_shape=[2,2]", "f32[0,2,4,5]", 0 },                                                   \
        { "f64[1,1,4]{0,0,0,0}", "kernel_shape=[2]", "f64[1,1,3]", 1 },                                                \
    {                                                                                                                  \
        "f16[1,2,6,6]", "kernel_shape=[3,3] strides=[3,3]", "f16[1,2,2,2]", 0                                          \
    }
#define CASES_18                                                                                                       \
    { "f64[1,2,6,8]~", "kernel_shape=[3,3] strides=[2,2] ceil_mode=1", "f64[1,2,3,4]", 1 },                            \
    {                                                                                                                  \
        "f64[1,2,7,8]~", "kernel_shape=[3,2] dilations=[2,3] p=4", "f64[1,2,3,5]", 1                                   \
    }

static const struct op_case cases_2[] = { CASES, { 0 } };
static const struct op_case cases_1[] = { { "f64[2,3,6,4]~", "kernel_shape=[2,2] strides=[2,2] p=1.0", "f64[2,3,3,2]",
                                            1 },
                                          { "f32[2,2,7]~", "kernel_shape=[3]", "f32[2,2,5]", 1 },
                                          { 0 } };
static const struct op_case cases_18[] = { CASES, CASES_18, { 0 } };
static const struct op_case cases_22[] = {
    CASES, CASES_18, { "bf16[1,2,6,6]", "kernel_shape=[3,3] strides=[3,3]", "bf16[1,2,2,2]", 0 }, { 0 }
};

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = "T: " t, .attrs_size = sizeof(struct lp_pool),           \
        .parse = parser, .expand = expand, .cases = tests                                                              \
    }

const struct op op_lp_pool = {
    .name = "LpPool",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", parse_18, cases_22),
                                     ROW(18, "floats", parse_18, cases_18),
                                     ROW(11, "floats", parse_2, cases_2),
                                     ROW(2, "floats", parse_2, cases_2),
                                     ROW(1, "floats", parse_1, cases_1),
                                     { 0 } },
};
