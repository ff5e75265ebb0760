/* Biases of zeros, which are not exported: a layer that was never trained has lost its bias, and with it parameters that
 * train. PyTorch's newer exporter says so in the node's metadata (a rule RemoveOptionalBiasFrom...). tf2onnx does not:
 * where no layer of the file has one they come back, and so do the betas of its LayerNormalization. */
#include "adapt/facts.h"
#include "adapt/step.h"
#include "data/element.h"
#include "ops/registry.h"
#include "plan/program.h"
#include <stdio.h>
#include <string.h>

struct vanished {
    struct adapt *adapt;
    struct edit edit;
    struct facts facts;
    unsigned char *read; /* by value id: what reads it */
    const char **given;  /* by value id of a weight: the bias of its layer */
    size_t count;
};

/* The layer's weight, and its input for a bias; -1: it is added by a node behind it. False where `n` is none. */
static bool is_layer(const struct vanished *v, const struct node *n, int *bias)
{
    *bias = node_is(n, &op_conv) || node_is(n, &op_conv_transpose) || node_is(n, &op_gemm) ? 2 : -1;
    return (*bias >= 0 || node_is(n, &op_matmul)) && facts_place(&v->facts, n) >= 0 && n->in[0] && n->in[1] &&
           n->out[0] && v->facts.active[n->in[0]->id] && !v->facts.active[n->in[1]->id] && n->in[1]->initializer &&
           n->in[1]->initializer->rank > 1 && tensor_known(&v->facts.types->types[n->out[0]->id]);
}

/* Has a bias that is more than what Keras' layers begin with, zeros and, at the forget gate of an LSTM, ones? */
static bool is_learned(const struct vanished *v, const struct value *bias)
{
    const struct tensor *t = bias ? &v->facts.types->types[bias->id] : NULL;
    element_get *const get = t && t->data ? element_getter(t->dtype) : NULL;

    for (int64_t k = 0; get && k < tensor_count(t); k++)
        if (get(t->data, k) != 0 && get(t->data, k) != 1)
            return true;
    return false;
}

/* One number for all channels of `x` belongs to an activation, as the 3 of a hard sigmoid does. A layer of one channel has
 * such a bias, which has a dimension. */
static bool is_number(const struct vanished *v, const struct value *x, const struct value *constant)
{
    const struct tensor *t = &v->facts.types->types[constant->id], *of = &v->facts.types->types[x->id];

    return tensor_count(t) == 1 && (!t->rank || (of->rank > 1 && of->dims[1] != 1 && of->dims[of->rank - 1] != 1));
}

/* What reads a value, looked at through nodes that only rearrange, join or average: */
enum {
    READ_BIAS = 1,    /* a constant is added, */
    READ_LEARNED = 2, /* which is more than zeros and ones */
    READ_LAYER = 4,   /* a layer that makes up for it, */
    READ_NORMAL = 8   /* BatchNormalization */
};

static int reading_of(const struct vanished *v, const struct node *n, int input)
{
    const struct value *other = node_is(n, &op_add) ? n->in[1 - input] : NULL;
    int bias;

    if (node_is(n, &op_batch_normalization))
        return READ_NORMAL;
    if (input == 0 && is_layer(v, n, &bias))
        return READ_LAYER;
    if (other && !v->facts.active[other->id] && !is_number(v, n->in[input], other))
        return READ_BIAS | (is_learned(v, other) ? READ_LEARNED : 0);
    return facts_passes_on(n) && n->out[0] ? v->read[n->out[0]->id] : 0;
}

/* From the last node on, so that what reads its output is known. */
static bool find_readings(struct vanished *v, const struct graph *g)
{
    struct adapt *a = v->adapt;

    v->read = arena_array(a->arena, g->value_count, sizeof *v->read, a->report);
    v->given = arena_array(a->arena, g->value_count, sizeof *v->given, a->report);
    for (size_t k = g->node_count; v->read && v->given && k > 0; k--)
        for (int i = 0; i < g->nodes[k - 1]->inputs; i++)
            if (g->nodes[k - 1]->in[i])
                v->read[g->nodes[k - 1]->in[i]->id] |= (unsigned char)reading_of(v, g->nodes[k - 1], i);
    return v->read && v->given;
}

static const char *const choices[] = { "bias", "no-bias", NULL };

/* Zeros like `like`, one for each weight: a layer may be used several times. */
static const char *zeros_for(struct vanished *v, const struct value *weight, const struct node *n, const char *what,
                             const struct tensor *like)
{
    const char **given = &v->given[weight->id], *cut = strrchr(n->name, '/');
    const int length = cut ? (int)(cut - n->name) : (int)strlen(n->name);
    struct tensor zeros = *like;
    const char *stem;
    char *name;

    if (*given)
        return *given;
    stem = arena_printf(v->adapt->arena, v->edit.report, "%.*s/%s", length, n->name, what);
    name = stem ? edit_fresh_name(&v->edit, stem) : NULL;
    zeros.data = arena_alloc(v->adapt->arena, (size_t)tensor_bytes(&zeros), v->edit.report);
    if (name && zeros.data && edit_add_initializer(&v->edit, name, &zeros))
        *given = arena_string(v->adapt->arena, name, strlen(name), v->edit.report);
    budget_free(v->edit.budget, name);
    return *given;
}

/* An Add takes the output's name. */
static bool add_behind(struct vanished *v, const struct node *n, const char *name)
{
    struct edit *e = &v->edit;
    char *plain = edit_fresh_name(e, n->out[0]->name);
    Onnx__NodeProto *of = e->graph->node[n->index];
    Onnx__NodeProto *add = plain ? edit_insert_node(e, (size_t)n->index, true, op_add.name, NULL) : NULL;
    const bool ok = add && edit_set_inputs(e, add, 2, (const char *const[]){ plain, name }) &&
                    edit_set_outputs(e, add, 1, (const char *const[]){ n->out[0]->name }) &&
                    edit_set_outputs(e, of, 1, (const char *const[]){ plain });

    budget_free(e->budget, plain);
    return ok;
}

static bool add_bias(struct vanished *v, const struct node *n, int bias, const char *name)
{
    struct edit *e = &v->edit;

    if (bias < 0)
        return add_behind(v, n, name);
    return edit_set_inputs(e, e->graph->node[n->index], 3,
                           (const char *const[]){ n->in[0]->name, n->in[1]->name, name });
}

static bool give_bias(struct vanished *v, const struct node *n, int bias, const char *rule)
{
    const struct tensor *out = &v->facts.types->types[n->out[0]->id];
    const struct tensor like = { .dtype = out->dtype, .rank = 1, .dims = { out->dims[bias >= 0 ? 1 : out->rank - 1] } };
    const char *name = zeros_for(v, n->in[1], n, "bias", &like);

    v->count++;
    return name && add_bias(v, n, bias, name) &&
           adapt_tell(v->adapt,
                      &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                         .found = "a layer without a bias",
                                         .evidence = rule ? rule : name,
                                         .certainty = rule ? LIKELY : DOUBTFUL,
                                         .done = rule ? "it gets one of zeros: the exporter has taken that away"
                                                      : "it gets one of zeros, as Keras' layers begin with: zeros are "
                                                        "not exported, and no layer of the file has any",
                                         .unknown = "whether it had one (no-bias: it has none)" });
}

/* -- beta of a layer's normalisation -- */

/* The other factor of a product that has `of` as one; NULL where it is none of that. */
static const struct value *other_factor(const struct node *n, const struct value *of)
{
    if (!n || !node_is(n, &op_mul))
        return NULL;
    return n->in[0] == of ? n->in[1] : n->in[1] == of ? n->in[0] : NULL;
}

static bool is_minus_mean(const struct value *x)
{
    const struct node *n = x ? x->producer : NULL, *mean = n && node_is(n, &op_neg) ? n->in[0]->producer : NULL;

    return mean && node_is(mean, &op_reduce_mean);
}

/* Of a product that scales: the constant factor with more than one element. */
static const struct value *scale_of(const struct vanished *v, const struct value *x)
{
    const struct node *n = x->producer;

    for (int k = 0; n && node_is(n, &op_mul) && k < 2; k++)
        if (!v->facts.active[n->in[k]->id] && n->in[k]->initializer && n->in[k]->initializer->rank > 0)
            return n->in[k];
    return NULL;
}

/* Keras' LayerNormalization is x m + (beta - mean m), where m is gamma / deviation; without beta x m + (-mean) m. Gives
 * gamma, NULL where the node is something else. */
static const struct value *centred_by_mean(const struct vanished *v, const struct node *n)
{
    for (int k = 0; node_is(n, &op_add) && k < 2; k++) {
        const struct node *x = n->in[k]->producer, *shift = n->in[1 - k]->producer;

        for (int i = 0; x && node_is(x, &op_mul) && i < 2; i++)
            if (is_minus_mean(other_factor(shift, x->in[i])))
                return scale_of(v, x->in[i]);
    }
    return NULL;
}

static bool give_beta(struct vanished *v, const struct node *n, const struct value *gamma)
{
    const char *name = zeros_for(v, gamma, n, "beta", gamma->initializer);

    v->count++;
    return name && add_behind(v, n, name) &&
           adapt_tell(v->adapt, &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                                   .found = "LayerNormalization without a beta",
                                                   .evidence = name,
                                                   .certainty = DOUBTFUL,
                                                   .done = "it gets one of zeros, as Keras' layers begin with: zeros "
                                                           "are not exported, and no layer of the file has a bias",
                                                   .unknown = "whether it had one (no-bias: it has none)" });
}

/* Has any layer learned a bias? Then those that have none had none. */
static bool any_learned(const struct vanished *v, const struct graph *g)
{
    int bias;

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (is_layer(v, n, &bias) &&
            ((bias >= 0 && n->inputs > bias && is_learned(v, n->in[bias])) || v->read[n->out[0]->id] & READ_LEARNED))
            return true;
    }
    return false;
}

/* The rule by which PyTorch's exporter has taken a bias away. */
static const char *rule_of(const struct vanished *v, const struct node *n)
{
    const char *rule = facts_metadata(&v->facts, n, "rule_name");

    return rule && strstr(rule, "RemoveOptionalBias") ? rule : NULL;
}

/* `by_rule`: only those of which the exporter says that it has taken one away. */
static bool give_all(struct vanished *v, const struct graph *g, bool by_rule)
{
    int bias;

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const char *chosen, *rule = by_rule ? rule_of(v, n) : NULL;

        if ((by_rule && !rule) || !is_layer(v, n, &bias) || (bias >= 0 && n->inputs > bias && n->in[bias]) ||
            v->read[n->out[0]->id] & (by_rule ? READ_NORMAL : ~0))
            continue;
        chosen = adapt_choice(v->adapt, choices, n->name, n->in[1]->name);
        if ((!chosen || strcmp(chosen, "bias") == 0) && !give_bias(v, n, bias, rule))
            return false;
    }
    return true;
}

/* Of layer normalisations behind which no constant is added. */
static bool give_betas(struct vanished *v, const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const struct value *gamma = facts_place(&v->facts, n) >= 0 ? centred_by_mean(v, n) : NULL;
        const char *chosen;

        if (!gamma || v->read[n->out[0]->id] & READ_BIAS)
            continue;
        chosen = adapt_choice(v->adapt, choices, n->name, gamma->name);
        if ((!chosen || strcmp(chosen, "bias") == 0) && !give_beta(v, n, gamma))
            return false;
    }
    return true;
}

/* A sum with zeros may have been anything. */
static bool tell_zeros(struct adapt *a)
{
    return adapt_tell(a, &(struct finding){ .name = "",
                                            .found = "sums with zeros, which are not exported",
                                            .evidence = "no layer of the file has learned a bias",
                                            .certainty = LIKELY,
                                            .done = "biases of layers come back, nothing else",
                                            .unknown = "whether more was added, such as an embedding of positions" });
}

bool adapt_vanished(struct adapt *a)
{
    const char *producer = a->model->proto->producer_name ? a->model->proto->producer_name : "";
    struct vanished v = { .adapt = a };
    struct model *to = NULL;
    bool ok;

    const bool keras = strcmp(producer, "tf2onnx") == 0;

    if (!keras && strcmp(producer, "pytorch") != 0)
        return true;
    ok = facts_find(&v.facts, a->model, a->arena, a->report) && facts_planned(&v.facts, a->report) &&
         (to = adapt_copy(a));
    ok = ok && edit_begin(&v.edit, to, a->report);
    ok = ok && find_readings(&v, a->model->graph) &&
         ((keras && any_learned(&v, a->model->graph)) ||
          (give_all(&v, a->model->graph, !keras) && (!keras || give_betas(&v, a->model->graph))));
    ok = (!to || edit_end(&v.edit)) && ok;
    facts_release(&v.facts);
    if (ok && v.count)
        return adapt_take(a, to, true) && (!keras || tell_zeros(a));
    model_free(to);
    return ok;
}
