/* GlobalLpPool, https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html
 *
 *   Y = (sum of |X|^p)^(1/p) over all spatial dimensions, which stay as 1
 *
 * Computed in float, or in double where X is. The gradient of a norm that is 0 is 0. */
#include "ops/lp_norm.h"

static bool parse(struct parse *p, void *attrs)
{
    return lp_parse(p, attrs);
}

static bool parse_1(struct parse *p, void *attrs)
{
    return lp_parse_1(p, attrs);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    static const char over[] = "keepdims=1 noop_with_empty_axes=1";
    const int64_t p = *(const int64_t *)n->attrs;
    const enum dtype dtype = known_input(n, 0).dtype;
    struct value *x = emit_widened(e, n->in[0], dtype, WIDEN_HALVES), *axes = emit_axes_from(e, n, 2), *y;

    if (p <= 2)
        y = emit(e, p == 1 ? "ReduceL1" : "ReduceL2", over, 2, x, axes);
    else
        y = emit_root(e, emit(e, "ReduceSum", over, 2, emit_power(e, x, p, dtype), axes), p, dtype);
    out[0] = emit_narrowed(e, y, n->in[0], dtype, WIDEN_HALVES);
    return out[0];
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,3,4,5]~", "", "f64[2,3,1,1]", 1 }, { "f64[1,3,7]~", "p=1", "f64[1,3,1]", 1 },                             \
        { "f64[2,2,2,3,2]~", "p=3", "f64[2,2,1,1,1]", 1 }, { "f64[1,2,2]{0,0,1,2}", "p=3", "f64[1,2,1]", 1 },          \
        { "f32[0,3,4,5]", "", "f32[0,3,1,1]", 0 },                                                                     \
    {                                                                                                                  \
        "f16[2,3,4,5]", "p=3", "f16[2,3,1,1]", 0                                                                       \
    }

static const struct op_case cases_2[] = { CASES, { 0 } };
static const struct op_case cases_1[] = { { "f64[2,3,4,5]~", "p=3.0", "f64[2,3,1,1]", 1 },
                                          { "f32[1,3,7]~", "", "f32[1,3,1]", 1 },
                                          { 0 } };
static const struct op_case cases_22[] = { CASES, { "bf16[2,3,4,5]", "", "bf16[2,3,1,1]", 0 }, { 0 } };

#define ROW(version, t, reader, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = "T: " t, .attrs_size = sizeof(int64_t), .parse = reader, \
        .expand = expand, .cases = tests                                                                               \
    }

const struct op op_global_lp_pool = {
    .name = "GlobalLpPool",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", parse, cases_22),
                                     ROW(2, "floats", parse, cases_2),
                                     ROW(1, "floats", parse_1, cases_1),
                                     { 0 } },
};
