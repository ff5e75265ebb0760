/* A BatchNormalization node with mean 0, variance 1 and next to no epsilon: its statistics were folded into scale and
 * bias.
 *
 * keras2onnx wrote the layer so, with a thousandth of the epsilon. One that was never trained has its own epsilon. */
#include "adapt/normalization/normalization.h"
#include "ops/batch_normalization.h"
#include "ops/registry.h"
#include <math.h>

static bool holds(const struct search *s, const struct value *v, double number)
{
    const struct tensor *t = v ? search_type(s, v) : NULL;
    const double *x;

    if (!t || !t->data || !dtype_is_float(t->dtype) || !tensor_count(t) || !(x = search_channels(s, v)))
        return false;
    for (int64_t k = 0; k < tensor_count(t); k++)
        if (x[k] != number)
            return false;
    return true;
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    enum { X, SCALE, BIAS, MEAN, VARIANCE };
    const struct batch_norm *attrs = n->attrs;
    const struct tensor *x;

    if (!node_is(n, &op_batch_normalization) || facts_place(s->facts, n) < 0 || n->inputs <= VARIANCE ||
        n->outputs > 1 || !n->out[0] || !s->active[n->in[X]->id] || !holds(s, n->in[MEAN], 0) ||
        !holds(s, n->in[VARIANCE], 1) || (double)attrs->epsilon > 2e-6 || !search_type(s, n->in[SCALE])->data ||
        !search_type(s, n->in[BIAS])->data)
        return false;
    x = search_type(s, n->in[X]);
    out->nodes[out->node_count++] = n;
    out->x = n->in[X];
    out->axis = 1;
    out->channels = x->dims[1];
    out->shared_by = n->in[SCALE];
    out->epsilon = (double)attrs->epsilon * 1000;
    out->certainty = LIKELY;
    out->evidence = "mean 0, variance 1 and a thousandth of an epsilon";
    search_name(s, out, n);
    out->factor = search_channels(s, n->in[SCALE]);
    out->summand = search_channels(s, n->in[BIAS]);
    return out->factor && out->summand;
}

const struct trace trace_scaled_node = {
    .name = "BatchNormalization without statistics",
    .exporter = "keras2onnx",
    .epsilon = 1e-3,
    .momentum = .99,
    .find = find,
};
