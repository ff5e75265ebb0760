/* A layer into which onnxruntime has folded BatchNormalization, in a file that it has written (optimized_model_filepath).
 *
 * Before the name of a constant that it changes it writes what it did: "ConvBnFusion_W_0.weight",
 * "ConvBnFusion_BN_B_1.bias" after the beta, of Conv and ConvTranspose, "MatMulBnFusion_GemmB_..." and
 * "MatMulBnFusion_GemmBias" of a MatMul; further words may stand before these, and "_token_2" behind. What the layer makes
 * keeps the name of what BatchNormalization made, "/1/BatchNormalization_output_0". The products and sums of Keras on
 * TensorFlow that it folds: folded_tensorflow.c. */
#include "adapt/normalization/normalization.h"
#include <string.h>

static const char beta_in[] = "ConvBnFusion_BN_B_";

static bool named_so(const char *name)
{
    return strstr(name, "ConvBnFusion_") || strstr(name, "MatMulBnFusion_");
}

/* What PyTorch's exporter writes where there is no beta is called otherwise than a parameter: then there is no gamma. */
static void read_parameters(struct site *out, const char *bias)
{
    const char *at = strstr(bias, beta_in);

    out->told_parameters = at;
    out->no_scale = out->no_center = at && strstr(at, "/Constant");
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    const struct value *bias;

    if (!search_folded(s, n, out) || out->bias < 0)
        return false;
    bias = n->in[out->bias];
    if (!named_so(bias->name) && !named_so(n->in[1]->name))
        return false;
    if (!search_made_name(s, out, n))
        search_name(s, out, n);
    read_parameters(out, bias->name);
    out->certainty = CERTAIN;
    out->evidence = search_text(s, "bias '%s'", bias->name);
    return true;
}

const struct trace trace_folded_onnxruntime = {
    .name = "folded into a layer",
    .exporter = "onnxruntime",
    .epsilon = 1e-5,
    .momentum = .9,
    .gain = 1. / 3,
    .draws_biases = true,
    .find = find,
};
