/* Biases of zeros, which are not exported: a layer that was never trained has lost its bias, and with it parameters that
 * train. PyTorch's newer exporter says so in the node's metadata (a rule RemoveOptionalBiasFrom..., which takes those of
 * zeros away that stood for none, too: "fx_node" tells). tf2onnx does not:
 * where no layer of the file has one they come back. What its normalisations have lost: vanished_normalization.c. */
#include "adapt/normalization/vanished.h"
#include "data/element.h"
#include "ops/registry.h"
#include "plan/program.h"
#include "train/affine.h"
#include <stdio.h>
#include <string.h>

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
 * such a bias, which has a dimension. And what has an element for each position, too, is a table of these. */
static bool is_bias(const struct vanished *v, const struct value *x, const struct value *constant)
{
    const struct tensor *t = &v->facts.types->types[constant->id], *of = &v->facts.types->types[x->id];
    int varies = 0;

    if (tensor_count(t) == 1)
        return t->rank && !(of->rank > 1 && of->dims[1] != 1 && of->dims[of->rank - 1] != 1);
    for (int d = 0; d < t->rank; d++)
        varies += t->dims[d] != 1;
    return varies == 1;
}

static int reading_of(const struct vanished *v, const struct node *n, int input)
{
    const struct value *other = node_is(n, &op_add) ? n->in[1 - input] : NULL;
    int bias;

    if (node_is(n, &op_batch_normalization))
        return READ_NORMAL;
    if (input == 0 && is_layer(v, n, &bias))
        return READ_LAYER;
    if (other && !v->facts.active[other->id] && is_bias(v, n->in[input], other))
        return READ_BIAS | (is_learned(v, other) ? READ_LEARNED : 0);
    return facts_passes_on(n) && n->out[0] ? v->read[n->out[0]->id] : 0;
}

/* From the last node on, so that what reads its output is known. */
static bool find_readings(struct vanished *v, const struct graph *g)
{
    struct adapt *a = v->adapt;

    v->read = arena_array(a->arena, g->value_count, sizeof *v->read, a->report);
    v->layer = arena_array(a->arena, g->value_count, sizeof *v->layer, a->report);
    v->given = arena_array(a->arena, g->value_count, sizeof *v->given, a->report);
    for (size_t k = g->node_count; v->read && v->layer && v->given && k > 0; k--) {
        const struct node *n = g->nodes[k - 1];
        int bias;

        for (int i = 0; i < n->inputs; i++) {
            const int reading = n->in[i] ? reading_of(v, n, i) : 0;

            if (reading)
                v->read[n->in[i]->id] |= (unsigned char)reading;
            if (reading & READ_LAYER)
                v->layer[n->in[i]->id] = is_layer(v, n, &bias) ? n : v->layer[n->out[0]->id];
        }
    }
    return v->read && v->layer && v->given;
}

static const char *const choices[] = { "bias", "no-bias", NULL };

const char *vanished_constant(struct vanished *v, const char *name, const char *what, int number,
                              const struct tensor *like)
{
    const char *cut = strrchr(name, '/'), *kept = NULL;
    const int length = cut ? (int)(cut - name) : (int)strlen(name);
    const char *stem = arena_printf(v->adapt->arena, v->edit.report, "%.*s/%s", length, name, what);
    char *fresh = stem ? edit_fresh_name(&v->edit, stem) : NULL;
    struct tensor t = *like;

    t.data = arena_alloc(v->adapt->arena, (size_t)tensor_bytes(&t), v->edit.report);
    for (int64_t k = 0; t.data && k < tensor_count(&t); k++)
        element_put(t.data, k, t.dtype, number);
    if (fresh && t.data && edit_add_initializer(&v->edit, fresh, &t))
        kept = arena_string(v->adapt->arena, fresh, strlen(fresh), v->edit.report);
    budget_free(v->edit.budget, fresh);
    return kept;
}

bool vanished_do_behind(struct vanished *v, const struct node *n, const struct op *op, const char *name)
{
    struct edit *e = &v->edit;
    char *plain = edit_fresh_name(e, n->out[0]->name);
    Onnx__NodeProto *of = e->graph->node[n->index];
    Onnx__NodeProto *next = plain ? edit_insert_node(e, (size_t)n->index, true, op->name, NULL) : NULL;
    const bool ok = next && edit_set_inputs(e, next, 2, (const char *const[]){ plain, name }) &&
                    edit_set_outputs(e, next, 1, (const char *const[]){ n->out[0]->name }) &&
                    edit_set_outputs(e, of, 1, (const char *const[]){ plain });

    budget_free(e->budget, plain);
    return ok;
}

static bool add_bias(struct vanished *v, const struct node *n, int bias, const char *name)
{
    struct edit *e = &v->edit;

    if (bias < 0)
        return vanished_do_behind(v, n, &op_add, name);
    return edit_set_inputs(e, e->graph->node[n->index], 3,
                           (const char *const[]){ n->in[0]->name, n->in[1]->name, name });
}

/* `told`: it is known that there was one. */
static bool give_bias(struct vanished *v, const struct node *n, int bias, const char *rule, bool told)
{
    const struct tensor *out = &v->facts.types->types[n->out[0]->id];
    const struct tensor like = { .dtype = out->dtype, .rank = 1, .dims = { out->dims[bias >= 0 ? 1 : out->rank - 1] } };
    const char **given = &v->given[n->in[1]->id], *name;

    if (!*given) /* a layer may be used several times: one for each weight */
        *given = vanished_constant(v, n->name, "bias", 0, &like);
    name = *given;
    v->count++;
    return name && add_bias(v, n, bias, name) &&
           adapt_tell(v->adapt,
                      &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                         .found = "a layer without a bias",
                                         .evidence = rule ? rule : name,
                                         .certainty = told   ? CERTAIN
                                                      : rule ? LIKELY
                                                             : DOUBTFUL,
                                         .done = rule ? "it gets one of zeros: the exporter has taken that away"
                                                      : "it gets one of zeros, as Keras' layers begin with: zeros are "
                                                        "not exported, and no layer of the file has any",
                                         .unknown = told ? NULL : "whether it had one (no-bias: it has none)" });
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

/* How much of a name says which layer it is of: all before its last part. */
static size_t scope_of(const char *name)
{
    const char *cut = strrchr(name, '/');

    return cut ? (size_t)(cut - name) : 0;
}

/* Two products that stand one behind the other are of one layer where the scope of one lies in that of the other, or where
 * the first is TensorFlow's separable_conv2d, whose second may be called as the BatchNormalization that was folded into it.
 * *told: names tell. */
static bool is_one_layer(const struct node *a, const struct node *b, bool *told)
{
    static const char separable[] = "/separable_conv2d/";
    const size_t of_a = scope_of(a->name), of_b = scope_of(b->name), most = of_a < of_b ? of_a : of_b;
    const char *longer = of_a < of_b ? b->name : a->name;

    *told = most > 0;
    return most && (strstr(a->name, separable) || (strncmp(a->name, b->name, most) == 0 && longer[most] == '/'));
}

/* What comes before another layer: whether it had a bias cannot be seen where names do not tell. */
static bool list_before_layer(struct vanished *v, const struct node *n)
{
    return adapt_tell(v->adapt, &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                                   .found = "a layer without a bias, before another layer",
                                                   .evidence = "zeros are not exported, and no layer of the file has a "
                                                               "bias",
                                                   .certainty = DOUBTFUL,
                                                   .done = "left as it is",
                                                   .unknown = "whether it had one (bias: it had)" });
}

/* May one of zeros have gone? Where none of the file's layers has learned one it may, but not before BatchNormalization,
 * which makes up for it. */
static bool may_have_had(struct vanished *v, const struct node *n, const char *chosen, bool *may)
{
    const int read = v->read[n->out[0]->id];
    bool told;

    *may = !(read & (READ_BIAS | READ_NORMAL));
    if (!*may || !(read & READ_LAYER) || chosen)
        return true;
    *may = !is_one_layer(n, v->layer[n->out[0]->id], &told) && told;
    return *may || told || list_before_layer(v, n);
}

/* `by_rule`: only those of which the exporter says that it has taken one away. */
static bool give_all(struct vanished *v, const struct graph *g, bool by_rule)
{
    int bias;

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const char *chosen, *rule = by_rule ? rule_of(v, n) : NULL;
        const enum affine told = rule ? affine_bias_told(v->facts.model, n) : AFFINE_UNSAID;
        bool may;

        if ((by_rule && !rule) || !is_layer(v, n, &bias) || (bias >= 0 && n->inputs > bias && n->in[bias]) ||
            (by_rule && v->read[n->out[0]->id] & READ_NORMAL))
            continue;
        chosen = adapt_choice(v->adapt, choices, n->name, n->in[1]->name);
        may = chosen || told != AFFINE_NONE;
        if (!by_rule && !may_have_had(v, n, chosen, &may))
            return false;
        if (may && (!chosen || strcmp(chosen, "bias") == 0) &&
            !give_bias(v, n, bias, rule, told == AFFINE_PARAMETER && !chosen))
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
    const bool keras = strcmp(producer, "tf2onnx") == 0;
    bool ok;

    if (!keras && strcmp(producer, "pytorch") != 0)
        return true;
    ok = facts_find(&v.facts, a) && facts_planned(&v.facts, a->report) && (to = adapt_copy(a));
    ok = ok && edit_begin(&v.edit, to, a->report);
    ok = ok && find_readings(&v, a->model->graph);
    v.learned = ok && keras && any_learned(&v, a->model->graph);
    ok = ok && (v.learned || give_all(&v, a->model->graph, !keras)) &&
         (!keras || vanished_normalizations(&v, a->model->graph));
    ok = (!to || edit_end(&v.edit)) && ok;
    facts_release(&v.facts);
    if (ok && v.count)
        return adapt_take(a, to, true) && (!keras || tell_zeros(a));
    model_free(to);
    return ok;
}
