#include "train/recover.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "ops/registry.h"
#include "plan/program.h"
#include "train/batch_size.h"
#include "train/edit.h"
#include "train/trainable.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A place where BatchNormalization was. */
struct site {
    const struct value *x;        /* what it normalised; for a folded convolution, what that gives */
    const struct node *mul, *add; /* the pair, or the product alone; NULL: */
    const struct node *conv;
    int axis;
    int64_t channels;
    const struct tensor *a, *b; /* one value for each channel; `a` is NULL for a convolution, `b` where it was 0 */
    bool fresh;                 /* it was never trained */
    char stem[160];             /* names of the new parameters begin so */
};

struct recovery {
    const struct model *from;
    const struct recover_options *options;
    struct program *types;
    const bool *active;                    /* by value id: depends on the input */
    const struct node *const *only_reader; /* by value id; NULL where there are several, or the caller reads it, too */
    struct arena *arena;
    struct report *report;
    struct parameters parameters; /* of `from` */
    struct site *sites;
    size_t count;
};

/* -- finding -- */

static bool is_op(const struct node *n, const struct op *op)
{
    return n && node_is(n, op);
}

static bool find_readers(struct recovery *y)
{
    const struct graph *g = y->from->graph;
    const struct node **reader = arena_array(y->arena, g->value_count, sizeof *reader, y->report);
    int *count = arena_array(y->arena, g->value_count, sizeof *count, y->report);

    if (!reader || !count)
        return false;
    for (size_t k = 0; k < g->output_count; k++)
        count[g->outputs[k]->id]++;
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                reader[g->nodes[k]->in[i]->id] = count[g->nodes[k]->in[i]->id]++ ? NULL : g->nodes[k];
    y->only_reader = reader;
    return true;
}

/* The constant operand of a Mul or Add and the other one; false where it is not one constant and one activation. */
static bool operands(const struct recovery *y, const struct node *n, const struct value **x,
                     const struct tensor **constant)
{
    for (int k = 0; k < 2; k++) {
        const struct value *v = n->in[k], *other = n->in[1 - k];

        if (v && other && !y->active[v->id] && y->active[other->id] && y->types->types[v->id].data &&
            y->types->types[v->id].dtype == F32) {
            *constant = &y->types->types[v->id];
            *x = other;
            return true;
        }
    }
    return false;
}

/* Of a single channel: the axis where there is one, which ONNX has in front and Keras behind; -1 where there is none. */
static int single_channel_axis(const struct tensor *x)
{
    if (x->rank > 1 && x->dims[1] == 1)
        return 1;
    return x->rank > 1 && x->dims[x->rank - 1] == 1 ? x->rank - 1 : -1;
}

/* The axis of x along which a constant varies, where it varies along just one; -1 where not. `single`: it may be a
 * number, of a single channel. */
static int channel_axis(const struct tensor *x, const struct tensor *c, bool single)
{
    int axis = -1;

    if (c->rank > x->rank)
        return -1;
    if (tensor_count(c) == 1)
        return single ? single_channel_axis(x) : -1;
    for (int d = 0; d < c->rank; d++) {
        const int of_x = d + x->rank - c->rank;

        if (c->dims[d] == 1)
            continue;
        if (axis >= 0 || of_x == 0 || c->dims[d] != x->dims[of_x])
            return -1;
        axis = of_x;
    }
    return axis;
}

/* x / deviation, or x * its reciprocal: the statistics are computed right here (LayerNormalization, or batch
 * statistics), and what follows is that layer's own gamma and beta. */
static bool is_normalised_here(const struct recovery *y, const struct value *x)
{
    const struct node *n = x->producer;

    return (is_op(n, &op_div) || is_op(n, &op_mul)) && n->in[0] && n->in[1] && y->active[n->in[0]->id] &&
           y->active[n->in[1]->id];
}

/* "sequential/bn1/batchnorm/mul_1" -> "sequential/bn1"; what has no such name is called by its node, or by its
 * number. */
static void name_site(struct site *s, const struct node *n, const char *hint, size_t number)
{
    const char *names[] = { hint, n->name, n->out[0]->name };

    for (int k = 0; k < 3; k++) {
        const char *cut = names[k] ? strstr(names[k], "/batchnorm/") : NULL;

        if (cut) {
            snprintf(s->stem, sizeof s->stem, "%.*s", (int)(cut - names[k] > 150 ? 150 : cut - names[k]), names[k]);
            return;
        }
    }
    if (n->name && *n->name)
        snprintf(s->stem, sizeof s->stem, "%.140s/bn", n->name);
    else
        snprintf(s->stem, sizeof s->stem, "bn%zu", number + 1);
}

/* As Keras calls its layer, and what its exporters leave of that. */
static bool says_batch_normalization(const char *name)
{
    return strstr(name, "batchnorm") || strstr(name, "batch_norm");
}

/* A factor and a summand before the first layer, which do not train: Rescaling, the statistics of a data set. */
static bool is_preprocessing(const struct recovery *y, const struct node *mul, const struct value *x)
{
    const struct value *a = mul->in[mul->in[0] == x];

    for (size_t k = 0; k < y->parameters.count; k++)
        if (y->parameters.at[k].value->id == a->id)
            return y->parameters.at[k].role == ROLE_CONSTANT;
    return false;
}

static double channel_value(const struct tensor *t, int64_t c, double none)
{
    return t ? (double)((const float *)t->data)[c] : none;
}

enum {
    FRESH = 30
}; /* percent that a factor may be from 1, and a summand from 0: initialisers may draw gamma and beta */

/* gamma 1, beta 0, mean 0 and variance 1, or near: a layer that has not learned yet. Statistics that are measured would
 * make one of it that cannot learn any more: gamma would become a deviation, which may be very small. */
static bool is_fresh(const struct recovery *y, const struct site *s)
{
    const double deviation = sqrt(1 + (double)y->options->epsilon);

    if (!s->a)
        return !s->b;
    for (int64_t c = 0; c < s->channels; c++)
        if (fabs(channel_value(s->a, c, 1) * deviation - 1) * 100 > FRESH ||
            fabs(channel_value(s->b, c, 0)) * 100 > FRESH)
            return false;
    return true;
}

/* Of a convolution the weights tell nothing. It is taken for fresh with small biases where all else is fresh, too. */
static void find_fresh_convolutions(struct recovery *y)
{
    bool fresh = false, all = true;

    for (size_t k = 0; k < y->count; k++) {
        const struct site *s = &y->sites[k];

        fresh |= s->a && s->fresh;
        all = all && (s->fresh || !s->a);
        for (int64_t c = 0; !s->a && c < s->channels; c++)
            all = all && fabs(channel_value(s->b, c, 0)) * 100 <= FRESH;
    }
    for (size_t k = 0; fresh && all && k < y->count; k++)
        y->sites[k].fresh = true;
}

/* The addition behind a product; NULL where there is none. */
static const struct node *addition_behind(const struct recovery *y, const struct node *mul)
{
    const struct node *add = mul->out[0] ? y->only_reader[mul->out[0]->id] : NULL;

    return is_op(add, &op_add) && add->out[0] && add->index >= 0 ? add : NULL;
}

/* A product and a sum, or, where the name says so, a product alone: zeros are not exported. */
static bool find_pair(struct recovery *y, const struct node *mul, struct site *s)
{
    const struct tensor *type;
    const struct value *x, *product;
    bool named;

    if (!is_op(mul, &op_mul) || !mul->out[0] || mul->index < 0 || !operands(y, mul, &x, &s->a) ||
        is_normalised_here(y, x))
        return false;
    named = says_batch_normalization(mul->name) || says_batch_normalization(mul->in[mul->in[0] == x]->name);
    type = &y->types->types[x->id];
    s->axis = channel_axis(type, s->a, named);
    s->add = addition_behind(y, mul);
    if (s->add && (!operands(y, s->add, &product, &s->b) || channel_axis(type, s->b, named) != s->axis))
        s->add = NULL;
    if (s->axis < 0 || (!s->add && !named) || (!named && is_preprocessing(y, mul, x)))
        return false;
    if (!s->add)
        s->b = NULL;
    s->x = x;
    s->mul = mul;
    s->channels = type->dims[s->axis];
    s->fresh = is_fresh(y, s);
    name_site(s, mul, NULL, y->count);
    return true;
}

static bool named_as_folded(const char *name)
{
    /* without a centre (beta) the new bias is a product, "batchnorm/mul_2" */
    return strstr(name, "batchnorm/sub") || strstr(name, "batchnorm/mul_") || strstr(name, "_fused_bn") ||
           strstr(name, "FusedBatchNorm") ||
           strncmp(name, "onnx::Conv_", 11) == 0; /* PyTorch's TorchScript exporter calls what it has computed so */
}

static bool find_folded(struct recovery *y, const struct node *conv, struct site *s)
{
    const struct value *bias = is_op(conv, &op_conv) && conv->inputs > 2 ? conv->in[2] : NULL;

    if (!is_op(conv, &op_conv) || conv->index < 0 || y->options->folded == FOLDED_NONE || !y->active[conv->in[0]->id] ||
        !conv->out[0] || !tensor_known(&y->types->types[conv->out[0]->id]))
        return false;
    s->b = bias ? &y->types->types[bias->id] : NULL;
    if (s->b && (!s->b->data || s->b->dtype != F32 || s->b->rank != 1))
        return false;
    if (!bias && !says_batch_normalization(conv->name)) /* one that was never trained has none */
        return false;
    if (bias && y->options->folded == FOLDED_BY_NAME && !named_as_folded(bias->name) && !named_as_folded(conv->name))
        return false;
    if (is_op(y->only_reader[conv->out[0]->id], &op_batch_normalization)) /* nothing was folded into this one */
        return false;
    s->x = conv->out[0];
    s->conv = conv;
    s->axis = 1;
    s->channels = y->types->types[s->x->id].dims[1];
    s->fresh = is_fresh(y, s);
    name_site(s, conv, bias ? bias->name : NULL, y->count);
    return true;
}

static bool find_sites(struct recovery *y)
{
    const struct graph *g = y->from->graph;

    y->active = activations_find(g, y->arena, y->report);
    y->sites = arena_array(y->arena, g->node_count, sizeof *y->sites, y->report);
    if (!y->active || !y->sites || !find_readers(y))
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct site *s = &y->sites[y->count];

        *s = (struct site){ 0 };
        if (find_pair(y, g->nodes[k], s) || find_folded(y, g->nodes[k], s))
            y->count++;
    }
    find_fresh_convolutions(y);
    return true;
}

/* -- parameters -- */

enum { GAMMA, BETA, MEAN, VARIANCE, FOUR };

static bool fill(const struct recovery *y, const struct site *s, const struct moments *m, float *four[FOUR])
{
    for (int k = 0; k < FOUR; k++)
        if (!(four[k] = arena_array(y->arena, (size_t)s->channels, sizeof(float), y->report)))
            return false;
    for (int64_t c = 0; c < s->channels; c++) {
        const double b = channel_value(s->b, c, 0), a = channel_value(s->a, c, 1);
        /* of a convolution without the bias that it had */
        const double mean = s->fresh ? 0 : s->a ? m->mean[c] : m->mean[c] - b;
        const double v = s->fresh ? 1 : (double)(float)m->variance[c];

        four[GAMMA][c] = (float)(a * sqrt(v + (double)y->options->epsilon));
        four[BETA][c] = (float)(b + (double)(float)mean * a);
        four[MEAN][c] = (float)mean;
        four[VARIANCE][c] = (float)v;
    }
    return true;
}

/* -- writing -- */

static bool add_parameters(struct edit *e, const struct site *s, float *const four[FOUR], char *names[FOUR])
{
    static const char *const ends[FOUR] = { "gamma", "beta", "moving_mean", "moving_variance" };
    const struct tensor type = { .dtype = F32, .rank = 1, .dims = { s->channels } };

    for (int k = 0; k < FOUR; k++) {
        struct tensor t = type;
        char stem[200];

        t.data = four[k];
        snprintf(stem, sizeof stem, "%s/%s", s->stem, ends[k]);
        names[k] = edit_fresh_name(e, stem);
        if (!names[k] || !edit_add_initializer(e, names[k], &t))
            return false;
    }
    return true;
}

/* Where new nodes go: before the last of a pair, behind a convolution. */
static Onnx__NodeProto *add_node(struct edit *e, const struct site *s, const char *op, const char *name)
{
    return edit_insert_node(e,
                            (size_t)(s->conv  ? s->conv->index
                                     : s->add ? s->add->index
                                              : s->mul->index),
                            s->conv, op, name);
}

/* What exporters do to bring channels that stand last to axis 1, and back. */
static bool add_transpose(struct edit *e, const struct site *s, int rank, bool back, const char *in, const char *out)
{
    Onnx__NodeProto *n = add_node(e, s, op_transpose.name, NULL);
    int64_t perm[MAX_RANK];
    int to = 0;

    for (int d = 0; d < rank; d++)
        if (d == 1)
            perm[to++] = s->axis;
        else
            perm[to++] = d < 1 ? d : d <= s->axis ? d - 1 : d;
    if (back) {
        int64_t inverse[MAX_RANK];

        for (int d = 0; d < rank; d++)
            inverse[perm[d]] = d;
        memcpy(perm, inverse, sizeof perm);
    }
    return n && edit_set_ints(e, n, "perm", (size_t)rank, perm) && edit_set_inputs(e, n, 1, &in) &&
           edit_set_outputs(e, n, 1, &out);
}

static bool add_normalization(struct edit *e, const struct recovery *y, const struct site *s, const char *in,
                              const char *out, char *const names[FOUR])
{
    const char *inputs[1 + FOUR] = { in, names[GAMMA], names[BETA], names[MEAN], names[VARIANCE] };
    const int rank = y->types->types[s->x->id].rank;
    char *turned = NULL, *normal = NULL;
    Onnx__NodeProto *n;
    bool ok = true;

    if (s->axis != 1) {
        turned = edit_fresh_name(e, s->stem);
        ok = turned && add_transpose(e, s, rank, false, in, turned);
        normal = ok ? edit_fresh_name(e, s->stem) : NULL;
        ok = normal;
        inputs[0] = turned;
    }
    n = ok ? add_node(e, s, op_batch_normalization.name, s->stem) : NULL;
    ok = n && edit_set_inputs(e, n, 1 + FOUR, inputs) &&
         edit_set_outputs(e, n, 1, (const char *const[]){ normal ? normal : out }) &&
         (!normal || add_transpose(e, s, rank, true, normal, out)) &&
         edit_set_float(e, n, "epsilon", y->options->epsilon) && edit_set_float(e, n, "momentum", y->options->momentum);
    budget_free(e->budget, turned);
    budget_free(e->budget, normal);
    return ok;
}

static void drop_unread(struct edit *e, const char *name)
{
    if (!edit_readers(e, name))
        edit_drop_initializer(e, name);
}

static bool replace_pair(struct edit *e, const struct recovery *y, const struct site *s, char *const names[FOUR])
{
    const struct node *last = s->add ? s->add : s->mul;

    if (!add_normalization(e, y, s, s->x->name, last->out[0]->name, names))
        return false;
    if (s->add) {
        edit_drop_value_info(e, s->mul->out[0]->name);
        edit_drop_node(e, (size_t)s->add->index);
    }
    edit_drop_node(e, (size_t)s->mul->index);
    drop_unread(e, s->mul->in[s->mul->in[0] == s->x ? 1 : 0]->name);
    if (s->add)
        drop_unread(e, s->add->in[s->add->in[0] == s->mul->out[0] ? 1 : 0]->name);
    return true;
}

static bool unfold(struct edit *e, const struct recovery *y, const struct site *s, char *const names[FOUR])
{
    Onnx__NodeProto *conv = e->graph->node[s->conv->index];
    const char *bias = s->b ? s->conv->in[2]->name : NULL, *out = s->conv->out[0]->name;
    char stem[200], *plain;
    bool ok;

    snprintf(stem, sizeof stem, "%s/convolution", s->stem);
    plain = edit_fresh_name(e, stem);
    ok = plain && add_normalization(e, y, s, plain, out, names) &&
         edit_set_outputs(e, conv, 1, (const char *const[]){ plain });
    if (ok && bias) {
        edit_cut_inputs(e, conv, 2);
        drop_unread(e, bias);
    }
    budget_free(e->budget, plain);
    return ok;
}

static bool write_sites(struct recovery *y, struct model *to, const struct moments *moments)
{
    struct edit e;
    bool ok = edit_begin(&e, to, y->report);

    for (size_t k = 0; ok && k < y->count; k++) {
        const struct site *s = &y->sites[k];
        char *names[FOUR] = { 0 };
        float *four[FOUR];

        ok = fill(y, s, &moments[k], four) && add_parameters(&e, s, four, names) &&
             (s->conv ? unfold(&e, y, s, names) : replace_pair(&e, y, s, names));
        for (int n = 0; n < FOUR; n++)
            budget_free(e.budget, names[n]);
    }
    return edit_end(&e) && ok;
}

/* -- what cannot be known -- */

static void tell_folded_looking(const struct recovery *y, const struct node *n)
{
    const struct tensor *mean = &y->types->types[n->in[3]->id], *variance = &y->types->types[n->in[4]->id];
    char where[WHERE_TEXT];

    if (!mean->data || !variance->data || mean->dtype != F32 || variance->dtype != F32)
        return;
    for (int64_t k = 0; k < tensor_count(mean); k++)
        if (((const float *)mean->data)[k] != 0 || ((const float *)variance->data)[k] != 1)
            return;
    warn(y->report, node_where(n, where),
         "mean 0 and variance 1: either never trained, or its statistics were folded away");
}

static bool tell_limits(const struct recovery *y)
{
    const struct plan_context c = {
        .kernels = kernels_get(), .threads = 1, .budget = y->arena->budget, .report = y->report
    };
    const struct graph *g = y->from->graph;
    int64_t batch;
    bool dropout = false;

    for (size_t k = 0; k < g->node_count; k++) {
        dropout |= is_op(g->nodes[k], &op_dropout);
        if (is_op(g->nodes[k], &op_batch_normalization))
            tell_folded_looking(y, g->nodes[k]);
    }
    if (!dropout)
        warn(y->report, NULL, "cannot recover: Dropout, if there was any, is not in the file");
    if (!batch_size_find(g, NULL, &c, &batch))
        return false;
    if (!batch && g->inputs[0]->type.rank > 0 && g->inputs[0]->type.dims[0] >= 0)
        warn(y->report, NULL, "cannot recover: the batch size, which is fixed to %lld",
             (long long)g->inputs[0]->type.dims[0]);
    for (size_t k = 0; k < y->parameters.count; k++)
        if (y->parameters.at[k].role == ROLE_TRAINABLE && y->parameters.at[k].readers > 1)
            warn(y->report, NULL,
                 "cannot recover: whether '%s' was shared by its %d readers, or equal ones were merged",
                 y->parameters.at[k].value->name, y->parameters.at[k].readers);
    return true;
}

/* -- the whole -- */

static bool recover(struct recovery *y, struct model *to, const struct calibration *c, struct recovered *out)
{
    struct moments *moments;

    if (!parameters_find(&y->parameters, y->from, NULL, y->arena, y->report) || !find_sites(y) || !tell_limits(y))
        return false;
    moments = arena_array(y->arena, y->count, sizeof *moments, y->report);
    for (size_t k = 0; moments && k < y->count; k++) {
        moments[k] = (struct moments){ .at = y->sites[k].x, .axis = y->sites[k].axis };
        out->folded += y->sites[k].conv != NULL;
        out->fresh += y->sites[k].fresh;
        out->pairs += y->sites[k].conv == NULL;
    }
    return moments && (!y->count || calibrate(y->from, c, moments, y->count, y->arena, y->report)) &&
           write_sites(y, to, moments) && model_build(to, y->report) &&
           compare_models(y->from, to, c, &out->outputs, y->report);
}

struct model *model_recover(const struct model *m, const struct calibration *c, const struct recover_options *o,
                            struct recovered *out, struct report *r)
{
    struct budget budget = budget_like(&m->budget);
    struct arena arena = { .budget = &budget };
    struct recovery y = { .from = m, .options = o, .arena = &arena, .report = r };
    struct model *to;
    bool ok;

    *out = (struct recovered){ 0 };
    if (m->graph->input_count != 1 || !m->graph->output_count || !(o->epsilon >= 0) ||
        !(o->momentum >= 0 && o->momentum <= 1)) {
        fail(r, KILN_BAD_ARGUMENT, NULL,
             "needs a model with one input, epsilon of at least 0 and a momentum from 0 to 1");
        return NULL;
    }
    to = model_copy(m, r);
    budget_start(&budget);
    y.types = to ? plan_sample(m, &budget, r) : NULL;
    budget_stop(&budget);
    ok = y.types && recover(&y, to, c, out);
    program_free(y.types);
    arena_release(&arena);
    if (ok)
        return to;
    model_free(to);
    return NULL;
}
