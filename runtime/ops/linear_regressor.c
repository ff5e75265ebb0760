/* LinearRegressor, https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html
 *
 *   Y = post_transform(X coefficients^T + intercepts)        a row of scores for each row of X
 *
 * Of one target alone onnxruntime leaves post_transform out, but for PROBIT. Intercepts that are not as many as the
 * targets are an error. */
#include "ops/linear.h"

static bool parse(struct parse *p, void *attrs)
{
    struct linear *l = attrs;
    const int64_t targets = attr_int(p, "targets", 1);

    if (targets < 1)
        return parse_error(p, "attribute 'targets' is %lld, must be at least 1", (long long)targets);
    return linear_parse(p, l, targets) &&
           (l->targets == targets || parse_error(p, "%lld intercepts, must be %lld as there are targets",
                                                 (long long)l->targets, (long long)targets));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct linear *l = n->attrs;

    out[0] = emit_float(e, emit_post_transform(e, emit_linear(e, n->in[0], l), l->post));
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[3,2]", "coefficients=[0.5,-1.5] intercepts=[0.25]", "f32[3,1]", 1 },
    { "f64[3,2]", "coefficients=[0.5,-1.5,2.,0.] targets=2", "f32[3,2]", 1 },
    { "f32[2]", "coefficients=[0.5,-1.5] post_transform='LOGISTIC'", "f32[1,1]", 1 },
    { "i64[3,2]", "coefficients=[0.5,-1.5,2.,0.] intercepts=[1.,2.] targets=2 post_transform='SOFTMAX'", "f32[3,2]",
      0 },
    { "i32[3,1]", "coefficients=[0.5,-1.5] targets=2 post_transform='SOFTMAX_ZERO'", "f32[3,2]", 0 },
    { "f32[5,1]+", "coefficients=[0.4] post_transform='PROBIT'", "f32[5,1]", 0 },
    { "f32[0,2]", "coefficients=[0.5,-1.5] intercepts=[0.25]", "f32[0,1]", 0 },
    { 0 },
};

const struct op op_linear_regressor = {
    .name = "LinearRegressor",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: f32 f64 i32 i64; T1: f32",
                                       .attrs_size = sizeof(struct linear),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
