/* A layer with weights into which TensorFlow's graph optimiser has multiplied BatchNormalization.
 *
 * Keras 3 and 2 through tf2onnx: the new bias is called ".../batchnorm/sub:0" (".../batchnorm/mul_2:0" or "mul_1:0"
 * without centre), or ".../Conv2D_bias_fused_bn"; a layer that was never trained has none, but its node is called
 * ".../batchnorm/mul_1" (".../batchnorm/mul" without scale).
 *
 * onnxruntime folds the products and sums that TensorFlow has left: it writes what it did before the name of the factor,
 * "ConvAddFusion_B_ConvMulFusion_Mul_B_.../batchnorm/mul:0" (Rsqrt:0 without scale), or of the summand,
 * "ConvAddFusion_Add_B_...", and what the layer makes is called ".../batchnorm/add_1:0". */
#include "adapt/normalization/normalization.h"
#include <string.h>

static bool named_so(const char *name)
{
    return strstr(name, "/batchnorm/") || strstr(name, "batchnorm/sub") || strstr(name, "_fused_bn") ||
           strstr(name, "FusedBatchNorm");
}

/* The name that a constant had before onnxruntime has changed it, again and again. */
static const char *name_before(const char *name)
{
    static const char *const words[] = { "ConvAddFusion_Add_B_", "ConvAddFusion_B_", "ConvMulFusion_Mul_B_",
                                         "ConvMulFusion_W_" };
    const char *before;

    do {
        before = name;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strncmp(name, words[k], strlen(words[k])) == 0)
                name += strlen(words[k]);
    } while (name != before);
    return name;
}

/* What names it. Where onnxruntime has folded, that is rather what the layer makes: constants that are read by several calls
 * of a layer are called after one of them. */
static const char *name_of(const struct node *n, const char *bias)
{
    const bool changed = name_before(n->in[1]->name) != n->in[1]->name;

    if (changed && named_so(n->out[0]->name))
        return n->out[0]->name;
    return bias && named_so(bias) ? bias : named_so(n->name) ? n->name : NULL;
}

/* onnxruntime's words tell whether the layer had a bias: it was multiplied, or the summand took its place. */
static void find_bias(struct site *out, const char *bias)
{
    out->keeps_bias = strstr(bias, "ConvMulFusion_Mul_B_");
    out->told_bias = out->keeps_bias || strstr(bias, "ConvAddFusion_Add_B_");
    if (out->keeps_bias)
        out->summand = NULL;
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    const char *bias, *name, *cut;

    if (!search_folded(s, n, out))
        return false;
    bias = out->bias >= 0 ? name_before(n->in[out->bias]->name) : NULL;
    name = name_of(n, bias);
    if (!name)
        return false;
    if (!search_keras_layer(s, out, name))
        search_name(s, out, n);
    cut = strstr(n->name, "/batchnorm/");
    out->no_scale = (cut && strcmp(cut, "/batchnorm/mul") == 0) || (bias && strstr(bias, "/batchnorm/Rsqrt"));
    out->no_center = bias && strstr(bias, "/batchnorm/mul_");
    if (bias)
        find_bias(out, n->in[out->bias]->name);
    out->certainty = LIKELY;
    out->evidence =
        name == bias ? search_text(s, "bias '%s'", n->in[out->bias]->name) : search_text(s, "named so: '%s'", name);
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
