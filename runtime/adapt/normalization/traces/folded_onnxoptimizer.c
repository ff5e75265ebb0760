/* A layer whose weight and bias nodes compute of its own and those of BatchNormalization.
 *
 * onnxoptimizer's fuse_bn_into_conv writes so: nothing is lost. With a = gamma / sqrt(variance + epsilon),
 * the weight is Mul (weight, Unsqueeze (a)), the bias Add (Mul (Sub (bias, mean), a), beta). */
#include "adapt/normalization/expression.h"
#include "ops/registry.h"

static const struct node *made_by(const struct value *v, const struct op *op)
{
    const struct node *n = expression_root(v)->producer;

    return n && node_is(n, op) && n->in[0] && n->in[1] ? n : NULL;
}

static bool is_zero(const struct search *s, const struct value *v)
{
    const int64_t n = tensor_count(search_type(s, v));
    const double *x = search_channels(s, v);

    for (int64_t k = 0; x && k < n; k++)
        if (x[k] != 0)
            return false;
    return x;
}

/* The weight that was multiplied by `a`; NULL where it was not. */
static const struct value *plain_weight(const struct search *s, const struct value *v, struct factor_expression *f)
{
    const struct node *n = made_by(v, &op_mul);

    for (int k = 0; n && k < 2; k++)
        if (factor_expression(s, n->in[k], f))
            return n->in[1 - k];
    return NULL;
}

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    struct factor_expression f, again;
    const struct node *add, *mul, *sub = NULL;
    const struct value *weight, *bias = n->inputs > 2 && n->in[1] ? n->in[2] : NULL; /* of any node */

    if (!bias || !(add = made_by(bias, &op_add)) || !(weight = plain_weight(s, n->in[1], &f)) || !f.gamma)
        return false;
    mul = made_by(add->in[0], &op_mul);
    sub = mul ? made_by(mul->in[0], &op_sub) : NULL;
    if (!sub || !factor_expression(s, mul->in[1], &again) || again.variance != f.variance ||
        !search_folded(s, n, out) || tensor_count(search_type(s, f.variance)) != out->channels ||
        tensor_count(search_type(s, add->in[1])) != out->channels ||
        tensor_count(search_type(s, sub->in[1])) != out->channels)
        return false;
    out->weight = weight;
    out->own = is_zero(s, sub->in[0]) ? NULL : sub->in[0];
    out->shared_by = expression_root(f.variance);
    out->epsilon = f.epsilon;
    out->certainty = CERTAIN;
    out->evidence = search_text(s, "nodes compute its weight and bias of mean '%s' and variance '%s'", sub->in[1]->name,
                                f.variance->name);
    search_name(s, out, n);
    return (out->gamma = search_channels(s, f.gamma)) && (out->beta = search_channels(s, add->in[1])) &&
           (out->mean = search_channels(s, sub->in[1])) && (out->variance = search_channels(s, f.variance));
}

const struct trace trace_folded_onnxoptimizer = {
    .name = "folded into a layer by nodes",
    .exporter = "onnxoptimizer",
    .epsilon = 1e-5,
    .momentum = .9,
    .find = find,
};
