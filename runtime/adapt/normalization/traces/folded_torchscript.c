/* A layer whose weight and bias PyTorch's TorchScript exporter has computed of its own and those of BatchNormalization.
 *
 * It calls what it has computed "onnx::Conv_23", by the operator and a number; parameters keep their names, "6.weight".
 */
#include "adapt/normalization/normalization.h"
#include <stdio.h>
#include <string.h>

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    char computed[64];
    size_t length;
    const struct value *weight = n->inputs > 1 ? n->in[1] : NULL;

    if (!weight || !search_folded(s, n, out) || out->bias < 0)
        return false;
    length = (size_t)snprintf(computed, sizeof computed, "onnx::%s_", n->op_name);
    if (strncmp(n->in[out->bias]->name, computed, length) != 0)
        return false;
    search_name(s, out, n);
    out->certainty = LIKELY;
    out->evidence = search_text(s, "bias '%s', which the exporter has computed", n->in[out->bias]->name);
    return true;
}

const struct trace trace_folded_torchscript = {
    .name = "folded into a layer",
    .exporter = "PyTorch (TorchScript)",
    .epsilon = 1e-5,
    .momentum = .9,
    .gain = 1. / 3,
    .find = find,
};
