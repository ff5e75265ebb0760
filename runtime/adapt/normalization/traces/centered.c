/* Sub (x, mean), a factor, and Add of beta, with constants for each channel.
 *
 * Keras on PyTorch: Mul by gamma / sqrt(variance + epsilon), one constant, so that mean and beta are exact and the rest
 * is not told. Others write the factor as nodes or as two constants: Div by sqrt(variance + epsilon) and Mul by gamma,
 * and then everything is there. */
#include "adapt/normalization/expression.h"
#include "ops/registry.h"
#include "train/constants.h"
#include <math.h>
#include <string.h>

/* The next node, where it has this operator and a constant for each channel; it becomes one of the site's. */
static const struct value *next(const struct search *s, const struct op *op, struct site *out)
{
    const struct node *last = out->nodes[out->node_count - 1], *n = search_reader(s, last->out[0], op);
    const struct value *x, *c;
    bool first;

    if (!n || out->node_count == SITE_NODES || !search_operands(s, n, &x, &c, &first) ||
        (first && node_is(n, &op_div)) || search_axis(s, out->x, c, true) != out->axis)
        return NULL;
    out->nodes[out->node_count++] = n;
    return c;
}

static bool multiply(const struct search *s, struct site *out, const struct value *c, bool divide)
{
    const double *x = search_channels(s, c);

    for (int64_t k = 0; x && k < out->channels; k++)
        out->factor[k] = divide ? out->factor[k] / x[k] : out->factor[k] * x[k];
    return x;
}

/* Constants that nodes compute tell the variance, and gamma where it is in them. */
static bool read_expressions(const struct search *s, const struct value *scale, bool divide, struct site *out)
{
    struct factor_expression f = { 0 };

    if (!(divide ? deviation_expression(s, scale, &f) : factor_expression(s, scale, &f)) ||
        tensor_count(search_type(s, f.variance)) != out->channels)
        return true;
    out->epsilon = f.epsilon;
    out->variance = search_channels(s, f.variance);
    out->certainty = CERTAIN;
    if (f.gamma && tensor_count(search_type(s, f.gamma)) == out->channels)
        out->gamma = search_channels(s, f.gamma);
    return out->variance && (!f.gamma || out->gamma);
}

static bool read_scale(const struct search *s, struct site *out)
{
    const struct value *scale = next(s, &op_mul, out), *gamma;
    const bool divide = !scale;

    out->factor = arena_array(s->adapt->arena, (size_t)out->channels, sizeof *out->factor, s->adapt->report);
    for (int64_t k = 0; out->factor && k < out->channels; k++)
        out->factor[k] = 1;
    if (divide)
        scale = next(s, &op_div, out);
    if (!out->factor || !scale)
        return false;
    out->shared_by = expression_root(scale);
    if (!multiply(s, out, scale, divide) || !read_expressions(s, scale, divide, out))
        return false;
    gamma = next(s, &op_mul, out);
    if (gamma && !(out->gamma = search_channels(s, gamma)))
        return false;
    return !gamma || multiply(s, out, gamma, false);
}

/* A layer that has a centre has learned one; another one gets zeros of the exporter. */
static bool is_zero(const double *beta, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        if (beta[c] != 0)
            return false;
    return true;
}

static bool read_summand(const struct search *s, struct site *out)
{
    const struct value *beta = next(s, &op_add, out);
    double *b = arena_array(s->adapt->arena, (size_t)out->channels, sizeof *b, s->adapt->report);

    if (beta && !(out->beta = search_channels(s, beta)))
        return false;
    out->no_center = !beta || (is_zero(out->beta, out->channels) && !is_zero(out->mean, out->channels));
    for (int64_t k = 0; b && k < out->channels; k++)
        b[k] = (beta ? out->beta[k] : 0) - out->mean[k] * out->factor[k];
    out->summand = b;
    return b;
}

/* Of the model, rearranged or not. */
static bool is_input(const struct value *x)
{
    return expression_root(x)->producer == NULL;
}

static bool find(const struct search *s, const struct node *sub, struct site *out)
{
    const struct value *mean;
    bool first, named;

    if (!node_is(sub, &op_sub) || !search_operands(s, sub, &out->x, &mean, &first) || first)
        return false;
    out->axis = search_axis(s, out->x, mean, true);
    if (out->axis < 0)
        return false;
    out->nodes[out->node_count++] = sub;
    out->channels = search_type(s, out->x)->dims[out->axis];
    out->certainty = LIKELY;
    if (!(out->mean = search_channels(s, mean)) || !read_scale(s, out) || !read_summand(s, out))
        return false;
    named = says_batch_normalization(sub->name) || says_batch_normalization(mean->name);
    /* what is done to an input: a mean and a deviation, which do not train */
    if (!named && !out->beta && !out->gamma && !out->variance)
        out->taken_for = !is_input(out->x) ? "a difference and a factor of each channel"
                                           : "what is done to each channel of an input";
    out->evidence = search_text(s, "%sSub of '%s', a factor%s", named ? "named so, " : "", mean->name,
                                out->no_center ? "" : ", and a summand");
    if (!search_keras_layer(s, out, sub->name))
        search_name(s, out, sub);
    return true;
}

const struct trace trace_centered = {
    .name = "Sub, Mul and Add",
    .exporter = "Keras on PyTorch",
    .epsilon = 1e-3,
    .momentum = .99,
    .find = find,
};
