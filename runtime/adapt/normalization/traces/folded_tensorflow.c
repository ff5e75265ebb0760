/* A layer with weights into which TensorFlow's graph optimiser has multiplied BatchNormalization.
 *
 * Keras 3 and 2 through tf2onnx: the new bias is called ".../batchnorm/sub:0" (".../batchnorm/mul_2:0" or "mul_1:0"
 * without centre), or ".../Conv2D_bias_fused_bn"; a layer that was never trained has none, but its node is called
 * ".../batchnorm/mul_1" (".../batchnorm/mul" without scale). */
#include "adapt/normalization/normalization.h"
#include <string.h>

static bool named_so(const char *name)
{
    return strstr(name, "/batchnorm/") || strstr(name, "batchnorm/sub") || strstr(name, "_fused_bn") ||
           strstr(name, "FusedBatchNorm");
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    const struct value *bias;
    const char *name, *cut;

    if (!search_folded(s, n, out))
        return false;
    bias = out->bias >= 0 ? n->in[out->bias] : NULL;
    name = bias && named_so(bias->name) ? bias->name : named_so(n->name) ? n->name : NULL;
    if (!name)
        return false;
    if (!search_keras_layer(s, out, name))
        search_name(s, out, n);
    cut = strstr(n->name, "/batchnorm/");
    out->no_scale = cut && strcmp(cut, "/batchnorm/mul") == 0;
    out->no_center = bias && strstr(bias->name, "/batchnorm/mul_");
    out->certainty = LIKELY;
    out->evidence = search_text(s, "%s '%s'", name == n->name ? "named so:" : "bias", name);
    return true;
}

const struct trace trace_folded_tensorflow = {
    .name = "folded into a layer",
    .exporter = "Keras on TensorFlow",
    .epsilon = 1e-3,
    .momentum = .99,
    .gain = 1,
    .find = find,
};
