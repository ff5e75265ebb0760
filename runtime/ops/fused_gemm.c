/* FusedGemm of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = activation(alpha * A B + beta * C)        with transA and transB of what they say
 *
 * activation_alpha, activation_beta and activation_gamma are the activation's own alpha, beta and gamma. */
#include "ops/expansion.h"
#include "ops/fused_activation.h"
#include <stdio.h>

enum { A, B, C };

struct fused_gemm {
    float alpha, beta;
    bool trans_a, trans_b;
    struct fused_activation activation;
};

static bool parse(struct parse *p, void *attrs)
{
    struct fused_gemm *a = attrs;
    const float first = attr_float(p, "activation_alpha", 0), beta = attr_float(p, "activation_beta", 0),
                gamma = attr_float(p, "activation_gamma", 0);
    int needed;

    a->alpha = attr_float(p, "alpha", 1);
    a->beta = attr_float(p, "beta", 1);
    a->trans_a = attr_int(p, "transA", 0) != 0;
    a->trans_b = attr_int(p, "transB", 0) != 0;
    if (!fused_activation_parse(p, &a->activation, &needed))
        return false;
    a->activation.number[0] = first;
    a->activation.number[1] = attr_given(p, "activation_gamma") ? gamma : beta;
    if (needed && !attr_given(p, "activation_alpha"))
        return parse_error(p, "attribute 'activation_alpha' is missing");
    return needed < FUSED_NUMBERS || attr_given(p, "activation_beta") || attr_given(p, "activation_gamma") ||
           parse_error(p, "of 'activation_beta' and 'activation_gamma' one must be given");
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct fused_gemm *a = n->attrs;
    char attrs[128];

    snprintf(attrs, sizeof attrs, "alpha=%.9e beta=%.9e transA=%d transB=%d", (double)a->alpha, (double)a->beta,
             a->trans_a, a->trans_b);
    out[0] = emit_fused_activation(e, &a->activation, emit(e, "Gemm", attrs, 3, n->in[A], n->in[B], given(n, C)));
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "i32[3,4] i32[4,5]", "", "i32[3,5]", 0 },
    { "f32[3,4] f32[4,5] f32[5]", "activation='Relu'", "f32[3,5]", 7 },
    { "f64[4,3] f64[5,4] f64[3,1]", "transA=1 transB=1 alpha=0.5 beta=2.0 activation='LeakyRelu' activation_alpha=0.25",
      "f64[3,5]", 7 },
    { "f64[3,4] f64[4,5]", "activation='Selu' activation_alpha=1.5 activation_gamma=1.25", "f64[3,5]", 3 },
    { "f64[3,4] f64[4,5]", "activation='Elu' activation_alpha=0.5", "f64[3,5]", 3 },
    { "f64[3,4] f64[4,5]", "activation='ThresholdedRelu' activation_alpha=0.5", "f64[3,5]", 0 },
    { "f64[3,4] f64[4,5]", "activation='HardSigmoid' activation_alpha=0.2 activation_beta=0.5", "f64[3,5]", 0 },
    { "f64[3,4] f64[4,5]", "activation='Softplus'", "f64[3,5]", 3 },
    { "f64[3,4] f64[4,5]", "activation='Softsign'", "f64[3,5]", 3 },
    { "f64[3,4] f64[4,5]", "activation='Tanh'", "f64[3,5]", 3 },
    { "f16[3,4] f16[4,5] f16[]", "activation='Sigmoid'", "f16[3,5]", 0 },
    { "f32[0,4] f32[4,5]", "activation='Relu'", "f32[0,5]", 0 },
    { 0 },
};

const struct op op_fused_gemm = {
    .name = "FusedGemm",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T A, T B, T C? -> T Y",
                                       .types = "T: floats i32 i64 u32 u64",
                                       .attrs_size = sizeof(struct fused_gemm),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
