/* A layer into which PyTorch's newer exporter (torch.onnx.export with dynamo=True, through onnxscript's rewriter) has
 * folded BatchNormalization.
 *
 * The node's metadata say so: "pkg.onnxscript.rewriter.rule_name" names a rule FuseBatchNormInto..., and
 * "pkg.torch.onnx.class_hierarchy" has a BatchNorm; "pkg.torch.onnx.fx_node" has None in the place of a gamma and a beta
 * that it had not, and momentum and epsilon. A bias that was not there is called as the weight, "0.weight_bias",
 * "div_1_bias". */
#include "adapt/normalization/normalization.h"
#include "base/text.h"
#include "train/affine.h"
#include <string.h>

/* The value of the metadata in which it is told; NULL where it is not. */
static const char *told(const struct search *s, const struct node *n)
{
    const char *rule = facts_metadata(s->facts, n, "rule_name"),
               *hierarchy = facts_metadata(s->facts, n, "class_hierarchy"),
               *made_of = facts_metadata(s->facts, n, "fx_node");

    if (rule && text_contains(rule, "BatchNorm"))
        return rule;
    if (hierarchy && text_contains(hierarchy, "BatchNorm"))
        return hierarchy;
    return made_of && text_contains(made_of, "batch_norm") ? made_of : NULL;
}

static void read_arguments(const struct search *s, const struct node *n, struct site *out)
{
    const struct model *m = s->adapt->model;
    const enum affine gamma = affine_told(m, n, true), beta = affine_told(m, n, false);

    out->told_parameters = gamma != AFFINE_UNSAID && beta != AFFINE_UNSAID;
    out->no_scale = gamma == AFFINE_NONE;
    out->no_center = beta == AFFINE_NONE;
    affine_batch_norm_told(m, n, &out->epsilon, &out->momentum);
}

static bool ends_in(const char *name, const char *end)
{
    const size_t length = strlen(name), part = strlen(end);

    return length > part && strcmp(name + length - part, end) == 0;
}

/* Is the bias called as one that was not there? *by_itself: no other name is like that. */
static bool is_new(const char *bias, const char *weight, bool *by_itself)
{
    const size_t of_weight = strlen(weight);

    *by_itself = ends_in(bias, ".weight_bias");
    return *by_itself || (strncmp(bias, weight, of_weight) == 0 && strcmp(bias + of_weight, "_bias") == 0);
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    const char *said;
    const struct value *bias;
    bool added, by_itself = false;

    if (!search_folded(s, n, out))
        return false;
    said = told(s, n);
    bias = out->bias >= 0 ? n->in[out->bias] : NULL;
    added = bias && is_new(bias->name, n->in[1]->name, &by_itself);
    if (!said && !by_itself)
        return false;
    search_name(s, out, n);
    out->told_bias = bias;
    if (bias && !added) {
        out->keeps_bias = true; /* a bias that was there keeps its name */
        out->summand = NULL;
    }
    read_arguments(s, n, out);
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
    .gain = 1. / 3,
    .draws_biases = true,
    .find = find,
};
