/* A layer whose weight and bias PyTorch's TorchScript exporter has computed of its own and those of BatchNormalization.
 *
 * It calls what it has computed "onnx::Conv_23", by the operator and a number; parameters keep their names, "6.weight".
 * Whether there were gamma and beta is not in what it has computed: the file's other layers, or the caller, may tell. */
#include "adapt/normalization/normalization.h"
#include <stdio.h>
#include <string.h>

static void find_parameters(const struct search *s, const struct node *n, struct site *out)
{
    static const char *const choices[] = { "affine", "not-affine", NULL };
    const char *chosen = adapt_choice(s->adapt, choices, out->name, n->name);
    const bool none = chosen ? strcmp(chosen, "not-affine") == 0 : s->others_plain;

    out->asked_parameters = chosen;
    out->guessed_parameters = none && !chosen;
    out->no_scale = out->no_center = none;
    if (none && s->others_biased) {
        out->keeps_bias = true;
        out->summand = NULL;
    }
}

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
    find_parameters(s, n, out);
    out->evidence = search_text(s, "bias '%s', which the exporter has computed%s", n->in[out->bias]->name,
                                out->guessed_parameters ? "; the file's others have neither gamma nor beta" : "");
    return true;
}

const struct trace trace_folded_torchscript = {
    .name = "folded into a layer",
    .exporter = "PyTorch (TorchScript)",
    .epsilon = 1e-5,
    .momentum = .9,
    .gain = 1. / 3,
    .draws_biases = true,
    .find = find,
};
