/* y = Mul (x, factor) + summand, each a constant with an element for each channel.
 *
 * Keras 3 and 2 on TensorFlow, through tf2onnx, where BatchNormalization is not behind a convolution: the nodes are
 * called ".../batchnorm/mul_1" and ".../batchnorm/add_1", the factor "batchnorm/mul:0" ("batchnorm/Rsqrt:0" of a layer
 * without scale), the summand "batchnorm/sub:0" ("batchnorm/mul_2:0" or "mul_1:0" of one without centre); where they
 * were reshaped, "const_fold_opt__17". A summand of zeros is not exported. Keras on JAX leaves nodes that compute both
 * of gamma, beta, mean and variance. */
#include "adapt/normalization/expression.h"
#include "ops/registry.h"
#include "train/constants.h"
#include <string.h>

/* What computes the constants, where nodes do. */
struct computed {
    struct factor_expression factor;
    const struct value *beta, *mean;
};

static bool is_computed(const struct search *s, const struct value *a, const struct value *b, struct computed *c)
{
    return b && factor_expression(s, a, &c->factor) && summand_expression(b, a, &c->beta, &c->mean);
}

static bool has_channels(const struct search *s, const struct value *v, const struct site *out)
{
    return !v || tensor_count(search_type(s, v)) == out->channels;
}

/* All four are there. */
static bool read_computed(const struct search *s, const struct computed *c, struct site *out)
{
    const struct factor_expression *f = &c->factor;

    if (!has_channels(s, f->variance, out) || !has_channels(s, c->mean, out) || !has_channels(s, c->beta, out) ||
        !has_channels(s, f->gamma, out))
        return false;
    out->epsilon = f->epsilon;
    out->no_scale = !f->gamma;
    out->no_center = !c->beta;
    out->certainty = CERTAIN;
    out->shared_by = expression_root(f->variance);
    out->evidence = search_text(s, "nodes compute it of mean '%s' and variance '%s'", expression_root(c->mean)->name,
                                expression_root(f->variance)->name);
    return (out->variance = search_channels(s, f->variance)) && (out->mean = search_channels(s, c->mean)) &&
           (!c->beta || (out->beta = search_channels(s, c->beta))) &&
           (!f->gamma || (out->gamma = search_channels(s, f->gamma)));
}

/* What the names of TensorFlow's own operators tell: x * inv, with inv = rsqrt (variance + epsilon) [* gamma], is its
 * first or second "mul", and a centre is subtracted from: "sub". */
static void read_names(const struct node *mul, const struct value *a, const struct value *b, struct site *out)
{
    const char *cut = strstr(mul->name, "/batchnorm/");

    out->no_scale = strstr(a->name, "/batchnorm/Rsqrt") || (cut && strcmp(cut, "/batchnorm/mul") == 0);
    out->no_center = b && strstr(b->name, "/batchnorm/mul_");
}

/* What it is taken for without a name that says so: it may be learned, or what a regression ends in, as well. */
static const char *taken_for(const struct search *s, const struct value *a)
{
    return search_is_preprocessing(s, a) ? "what is done to an input: a factor and a summand of each channel"
                                         : "a factor and a summand of each channel";
}

static const struct node *find_addition(const struct search *s, const struct node *mul, const struct value **b)
{
    const struct node *add = search_reader(s, mul->out[0], &op_add);
    const struct value *product;
    bool first;

    return add && search_operands(s, add, &product, b, &first) ? add : NULL;
}

static bool find(const struct search *s, const struct node *mul, struct site *out)
{
    const struct value *a, *b = NULL;
    const struct node *add;
    struct computed c;
    bool first, computed, named;

    if (!node_is(mul, &op_mul) || !search_operands(s, mul, &out->x, &a, &first))
        return false;
    add = find_addition(s, mul, &b);
    computed = add && is_computed(s, a, b, &c);
    named = says_batch_normalization(mul->name) || says_batch_normalization(a->name) ||
            (add && (says_batch_normalization(b->name) || says_batch_normalization(add->name)));
    out->axis = search_axis(s, out->x, a, named || computed);
    if (add && search_axis(s, out->x, b, named || computed) != out->axis)
        add = NULL;
    if (out->axis < 0 || (!computed && search_normalised_here(s, out->x)) || (!named && !add))
        return false;
    out->taken_for = named || computed ? NULL : taken_for(s, a);
    out->nodes[out->node_count++] = mul;
    if (add)
        out->nodes[out->node_count++] = add;
    out->channels = search_type(s, out->x)->dims[out->axis];
    out->shared_by = expression_root(a);
    out->certainty = named ? LIKELY : DOUBTFUL;
    out->evidence = named ? search_text(s, "named so: '%s'", says_batch_normalization(mul->name) ? mul->name : a->name)
                          : "a factor and a summand for each channel, without names";
    if (!search_keras_layer(s, out, mul->name) && !search_keras_layer(s, out, a->name))
        search_name(s, out, mul);
    if (!named && *mul->name)
        out->evidence = search_text(s, "a factor and a summand for each channel, of the layer '%s'", out->name);
    read_names(mul, a, add ? b : NULL, out);
    out->factor = search_channels(s, a);
    out->summand = add ? search_channels(s, b) : NULL;
    return out->factor && (!add || out->summand) && (!computed || !add || read_computed(s, &c, out));
}

const struct trace trace_factor_summand = {
    .name = "Mul and Add",
    .exporter = "Keras on TensorFlow or JAX",
    .epsilon = 1e-3,
    .momentum = .99,
    .find = find,
};
