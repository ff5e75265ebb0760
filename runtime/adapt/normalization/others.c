/* What the BatchNormalization nodes that a file of PyTorch's still has say of those that were folded: who writes
 * affine=False writes it of all, mostly. One alone may be the exception, as one at the end is that normalises features. */
#include "adapt/normalization/expression.h"
#include "adapt/normalization/normalization.h"
#include "model/message.h"
#include "ops/registry.h"
#include "train/affine.h"
#include <string.h>

enum { ENOUGH = 2 };

static bool is_without(const struct search *s, const struct node *n, int input)
{
    const struct value *v = n->in[input] ? expression_root(n->in[input]) : NULL;
    const struct tensor *t = v ? search_type(s, v) : NULL;

    return t && t->data && affine_of(s->adapt->model, n, v, t) == AFFINE_NONE;
}

/* Adds the layer right before it to those with a bias, or without. */
static void count_bias(const struct node *n, size_t counts[2])
{
    const struct node *layer = n->in[0]->producer;

    if (layer && (node_is(layer, &op_conv) || node_is(layer, &op_conv_transpose) || node_is(layer, &op_gemm)))
        counts[layer->inputs > 2 && layer->in[2]]++;
}

void search_others(struct search *s)
{
    const bool pytorch = strcmp(or_empty(s->adapt->model->proto->producer_name), "pytorch") == 0;
    size_t count = 0, biases[2] = { 0 };

    for (size_t k = 0; pytorch && k < s->graph->node_count; k++) {
        const struct node *n = s->graph->nodes[k];

        if (!node_is(n, &op_batch_normalization))
            continue;
        if (!is_without(s, n, 1) || !is_without(s, n, 2))
            return;
        count_bias(n, biases);
        count++;
    }
    s->others_plain = count >= ENOUGH;
    s->others_biased = s->others_plain && biases[true] && !biases[false];
}
