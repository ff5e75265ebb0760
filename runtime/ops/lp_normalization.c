/* LpNormalization, https://onnx.ai/onnx/operators/onnx__LpNormalization.html
 *
 *   output = input / (sum of |input|^p along `axis`)^(1/p), p 1 or 2; 0 where all along the axis are 0
 *
 * Computed in float, or in double where the input is. */
#include "ops/lp_norm.h"

struct lp_normalization {
    int64_t axis, p;
};

static bool parse(struct parse *p, void *attrs)
{
    struct lp_normalization *a = attrs;

    a->axis = attr_int(p, "axis", -1);
    return lp_parse(p, &a->p) && (a->p <= 2 || parse_error(p, "p is %lld, must be 1 or 2", (long long)a->p));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct lp_normalization *const a = n->attrs;
    const enum dtype dtype = known_input(n, 0).dtype;
    struct value *x = emit_widened(e, n->in[0], dtype, WIDEN_HALVES);
    struct value *norm = emit(e, a->p == 1 ? "ReduceL1" : "ReduceL2", "keepdims=1", 2, x, emit_ints(e, 1, &a->axis));
    struct value *none = emit(e, "Equal", "", 2, norm, emit_scalar_like(e, 0, norm, dtype));
    struct value *y =
        emit(e, "Div", "", 2, x, emit(e, "Where", "", 3, none, emit_scalar_like(e, 1, norm, dtype), norm));

    out[0] = emit_narrowed(e, y, n->in[0], dtype, WIDEN_HALVES);
    return out[0];
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[3,4]~", "", "f64[3,4]", 1 }, { "f64[2,3,4]~", "axis=1 p=1", "f64[2,3,4]", 1 },                              \
        { "f32[5]~", "p=1", "f32[5]", 1 }, { "f32[2,3]{0,0,0,3,0,4}", "axis=-1", "f32[2,3]", 0 },                      \
        { "f16[2,6]", "axis=0", "f16[2,6]", 0 },                                                                       \
    {                                                                                                                  \
        "f32[2,0,3]", "axis=1", "f32[2,0,3]", 0                                                                        \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES, { "bf16[2,5]", "p=1", "bf16[2,5]", 0 }, { 0 } };

#define ROW(version, t, tests)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = "T: " t,                                        \
        .attrs_size = sizeof(struct lp_normalization), .parse = parse, .expand = expand, .cases = tests                \
    }

const struct op op_lp_normalization = {
    .name = "LpNormalization",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", cases_22), ROW(1, "floats", cases_1), { 0 } },
};
