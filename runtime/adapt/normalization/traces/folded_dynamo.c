/* A layer into which PyTorch's newer exporter (torch.onnx.export with dynamo=True, through onnxscript's rewriter) has
 * folded BatchNormalization.
 *
 * The node's metadata say so: "pkg.onnxscript.rewriter.rule_name" names a rule FuseBatchNormInto..., and
 * "pkg.torch.onnx.class_hierarchy" has a BatchNorm. A bias that was not there is called "0.weight_bias". */
#include "adapt/normalization/normalization.h"
#include "base/text.h"
#include <string.h>

static const Onnx__NodeProto *message_of(const struct search *s, const struct node *n)
{
    const Onnx__GraphProto *g = s->adapt->model->proto->graph;

    return (size_t)n->index < g->n_node ? g->node[n->index] : NULL;
}

/* The value of the metadata in which it is told; NULL where it is not. */
static const char *told(const Onnx__NodeProto *n)
{
    for (size_t k = 0; n && k < n->n_metadata_props; k++) {
        const char *key = n->metadata_props[k]->key, *value = n->metadata_props[k]->value;

        if (!key || !value)
            continue;
        if (text_contains(key, "rule_name") && text_contains(value, "BatchNorm"))
            return value;
        if (text_contains(key, "class_hierarchy") && text_contains(value, "BatchNorm"))
            return value;
    }
    return NULL;
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    const char *said, *end = "_bias";
    const struct value *bias;
    size_t length;

    if (!search_folded(s, n, out))
        return false;
    said = told(message_of(s, n));
    bias = out->bias >= 0 ? n->in[out->bias] : NULL;
    length = bias ? strlen(bias->name) : 0;
    if (!said && !(bias && length > 12 && strcmp(bias->name + length - strlen(end), end) == 0 &&
                   strcmp(bias->name + length - 12, ".weight_bias") == 0))
        return false;
    search_name(s, out, n);
    if (bias && !(length > 12 && strcmp(bias->name + length - 12, ".weight_bias") == 0)) {
        out->keeps_bias = true; /* a bias that was there keeps its name */
        out->summand = NULL;
    }
    out->certainty = said ? CERTAIN : LIKELY;
    out->evidence =
        said ? search_text(s, "metadata of the node: %.200s", said) : search_text(s, "bias '%s'", bias->name);
    return true;
}

const struct trace trace_folded_dynamo = {
    .name = "folded into a layer",
    .exporter = "PyTorch (dynamo)",
    .epsilon = 1e-5,
    .momentum = .9,
    .find = find,
};
