/* y = Mul (x, factor) + summand, each a constant with an element for each channel.
 *
 * Keras 3 and 2 on TensorFlow, through tf2onnx, where BatchNormalization is not behind a convolution: the nodes are
 * called ".../batchnorm/mul_1" and ".../batchnorm/add_1", the factor "batchnorm/mul:0" ("batchnorm/Rsqrt:0" of a layer
 * without scale), the summand "batchnorm/sub:0" ("batchnorm/mul_2:0" or "mul_1:0" of one without centre); where they
 * were reshaped, "const_fold_opt__17". A summand of zeros is not exported. Keras on JAX leaves nodes that compute both
 * of gamma, beta, mean and variance. */
#include "adapt/expression.h"
#include "ops/registry.h"
#include "train/constants.h"
#include <string.h>

/* All four, where nodes compute the constants. */
static bool read_expressions(const struct search *s, const struct value *a, const struct value *b, struct site *out)
{
    struct factor_expression f;
    const struct value *beta = NULL, *mean;

    if (!b || !factor_expression(s, a, &f) || !summand_expression(b, a, &beta, &mean))
        return true;
    if (tensor_count(search_type(s, f.variance)) != out->channels ||
        tensor_count(search_type(s, mean)) != out->channels ||
        (beta && tensor_count(search_type(s, beta)) != out->channels) ||
        (f.gamma && tensor_count(search_type(s, f.gamma)) != out->channels))
        return true;
    out->epsilon = f.epsilon;
    out->no_scale = !f.gamma;
    out->no_center = !beta;
    out->certainty = CERTAIN;
    out->evidence = search_text(s, "'%s' and '%s' are computed of its parameters", a->name, b->name);
    return (out->variance = search_channels(s, f.variance)) && (out->mean = search_channels(s, mean)) &&
           (!beta || (out->beta = search_channels(s, beta))) &&
           (!f.gamma || (out->gamma = search_channels(s, f.gamma)));
}

/* What the names of TensorFlow's own operators tell: x * inv, with inv = rsqrt (variance + epsilon) [* gamma], is its
 * first or second "mul", and a centre is subtracted from: "sub". */
static void read_names(const struct node *mul, const struct value *a, const struct value *b, struct site *out)
{
    const char *cut = strstr(mul->name, "/batchnorm/");

    out->no_scale = strstr(a->name, "/batchnorm/Rsqrt") || (cut && strcmp(cut, "/batchnorm/mul") == 0);
    out->no_center = b && strstr(b->name, "/batchnorm/mul_");
}

/* Without a name that says so: what another layer's names, or its place, make of it. */
static const char *taken_for(const struct search *s, const struct node *mul, const struct value *a,
                             const struct value *b)
{
    if (search_is_preprocessing(s, a))
        return "what is done to an input";
    return search_has_scope(mul->name) || search_has_scope(a->name) || search_has_scope(b->name) ? "a scale and a shift"
                                                                                                 : NULL;
}

static const struct node *find_addition(const struct search *s, const struct node *mul, const struct value **b,
                                        bool named, const struct site *of)
{
    const struct node *add = search_reader(s, mul->out[0], &op_add);
    const struct value *product;
    bool first;

    if (!add || !search_operands(s, add, &product, b, &first) || search_axis(s, of->x, *b, named) != of->axis)
        return NULL;
    return add;
}

static bool find(const struct search *s, const struct node *mul, struct site *out)
{
    const struct value *a, *b = NULL;
    const struct node *add;
    bool named, first;

    if (!node_is(mul, &op_mul) || !search_operands(s, mul, &out->x, &a, &first) || search_normalised_here(s, out->x))
        return false;
    named = says_batch_normalization(mul->name) || says_batch_normalization(a->name);
    out->axis = search_axis(s, out->x, a, named);
    if (out->axis < 0)
        return false;
    add = find_addition(s, mul, &b, named, out);
    b = add ? b : NULL;
    named = named || (b && says_batch_normalization(b->name)) || (add && says_batch_normalization(add->name));
    if (!named && !add)
        return false;
    out->taken_for = named ? NULL : taken_for(s, mul, a, b);
    out->nodes[out->node_count++] = mul;
    if (add)
        out->nodes[out->node_count++] = add;
    out->channels = search_type(s, out->x)->dims[out->axis];
    out->shared_by = a;
    out->certainty = named ? LIKELY : DOUBTFUL;
    out->evidence = named ? search_text(s, "named so: '%s'", says_batch_normalization(mul->name) ? mul->name : a->name)
                          : "a factor and a summand for each channel, without names";
    if (!search_keras_layer(out, mul->name) && !search_keras_layer(out, a->name))
        search_name(out, mul);
    read_names(mul, a, b, out);
    out->factor = search_channels(s, a);
    out->summand = b ? search_channels(s, b) : NULL;
    return out->factor && (!b || out->summand) && read_expressions(s, a, b, out);
}

const struct trace trace_factor_summand = {
    .name = "Mul and Add",
    .exporter = "Keras on TensorFlow or JAX",
    .epsilon = 1e-3,
    .momentum = .99,
    .find = find,
};
