/* FusedConv of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = activation(Conv(X, W, B) + Z)
 *
 * activation_params are alpha of LeakyRelu; least and most of Clip; alpha and beta of HardSigmoid. */
#include "ops/conv.h"
#include "ops/expansion.h"
#include "ops/fused_activation.h"
#include <stdio.h>

enum { X, W, B, Z };

struct fused_conv {
    struct conv_attrs conv;
    struct fused_activation activation;
};

static bool parse(struct parse *p, void *attrs)
{
    struct fused_conv *a = attrs;
    const float *params;
    int64_t count;
    int needed;

    if (!conv_parse(p, &a->conv) || !fused_activation_parse(p, &a->activation, &needed))
        return false;
    params = attr_floats(p, "activation_params", &count);
    if (needed && count != needed)
        return parse_error(p, "activation_params has %lld numbers, must have %d", (long long)count, needed);
    for (int k = 0; k < needed; k++)
        a->activation.number[k] = params[k];
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct fused_conv *a = n->attrs;
    char window[WINDOW_TEXT], attrs[WINDOW_TEXT + 32];
    struct value *y;

    snprintf(attrs, sizeof attrs, "group=%lld %s", (long long)a->conv.group, window_text(window, &a->conv.window));
    y = emit(e, "Conv", attrs, 3, n->in[X], n->in[W], given(n, B));
    if (given(n, Z))
        y = emit(e, "Add", "", 2, y, n->in[Z]);
    out[0] = emit_fused_activation(e, &a->activation, y);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,5,5] f32[4,3,3,3] f32[4]", "activation='Relu' pads=[1,1,1,1] strides=[2,2]", "f32[2,4,3,3]", 7 },
    { "f64[1,2,5] f64[4,1,3] - f64[1,4,3]", "activation='Tanh' group=2", "f64[1,4,3]", 11 },
    { "f64[1,2,5] f64[2,2,3] f64[2]", "activation='Sigmoid' auto_pad='SAME_UPPER'", "f64[1,2,5]", 7 },
    { "f64[1,2,5] f64[2,2,3]", "activation='Silu' dilations=[2]", "f64[1,2,1]", 3 },
    { "f64[1,2,5] f64[2,2,3]", "activation='LeakyRelu' activation_params=[0.25]", "f64[1,2,3]", 3 },
    { "f64[1,2,5] f64[2,2,3] f64[2]", "activation='Clip' activation_params=[-0.5,1.0]", "f64[1,2,3]", 0 },
    { "f64[1,2,5] f64[2,2,3]", "activation='HardSigmoid' activation_params=[0.3,0.4]", "f64[1,2,3]", 0 },
    { "f16[1,2,5] f16[2,2,3]", "", "f16[1,2,3]", 0 },
    { "f16[1,2,5] f16[2,2,3]", "activation='Clip' activation_params=[0.0,6.0]", "f16[1,2,3]", 0 },
    { "f32[0,2,5] f32[2,2,3]", "activation='Relu'", "f32[0,2,3]", 0 },
    { 0 },
};

const struct op op_fused_conv = {
    .name = "FusedConv",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, T W, T B?, T Z? -> T Y",
                                       .types = "T: floats",
                                       .attrs_size = sizeof(struct fused_conv),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
