/* A layer whose weight and bias onnxsim has computed of its own and those of BatchNormalization.
 *
 * It calls what it has computed "_v_23"; the model's metadata list the nodes that it has removed
 * ("onnxsim.removed_nodes": "BatchNormalization (/bn1/BatchNormalization), ..."). */
#include "adapt/normalization/normalization.h"
#include "ops/registry.h"
#include <string.h>

static bool removed_any(const Onnx__ModelProto *m)
{
    for (size_t k = 0; k < m->n_metadata_props; k++) {
        const char *key = m->metadata_props[k]->key, *value = m->metadata_props[k]->value;

        if (key && value && strcmp(key, "onnxsim.removed_nodes") == 0)
            return strstr(value, op_batch_normalization.name) != NULL;
    }
    return false;
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    if (!search_folded(s, n, out) || out->bias < 0 || strncmp(n->in[out->bias]->name, "_v_", 3) != 0 ||
        strncmp(n->in[1]->name, "_v_", 3) != 0 || !removed_any(s->adapt->model->proto))
        return false;
    search_name(s, out, n);
    out->certainty = LIKELY;
    out->evidence = search_text(s, "bias '%s' was computed, and the metadata list BatchNormalization that was removed",
                                n->in[out->bias]->name);
    return true;
}

const struct trace trace_folded_onnxsim = {
    .name = "folded into a layer",
    .exporter = "onnxsim",
    .epsilon = 1e-5,
    .momentum = .9,
    .gain = 1. / 3,
    .draws_biases = true,
    .find = find,
};
