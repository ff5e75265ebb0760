/* LayerNormalization, GroupNormalization and RMSNormalization of Keras that have lost a beta of zeros or a scale of ones.
 *
 * Through tf2onnx the first two are x m + (beta - mean m), where m is gamma / deviation, all in the layer's scope: the mean
 * is SCOPE/moments/mean, the root SCOPE/Rsqrt; then come SCOPE/mul of gamma, SCOPE/mul_1 of the mean, SCOPE/add_1 of beta,
 * SCOPE/mul_2 and SCOPE/add_2. A layer without gamma has no "mul_2", one without beta no "add_2": names tell what it had,
 * even where a network has learned since. Where they do not tell (TimeDistributed counts on), a beta comes back where no
 * layer of the file has a bias. RMSNormalization is x / root of the mean square, and always has a scale. */
#include "adapt/normalization/vanished.h"
#include "base/text.h"
#include "data/element.h"
#include "ops/registry.h"
#include <string.h>

struct layer {
    const struct node *end;     /* what it makes is the layer's */
    const struct node *product; /* of x and `by` */
    const struct node *shift;   /* of the mean and `by` */
    const struct node *mean;
    const struct value *by;    /* gamma / deviation */
    const struct value *gamma; /* NULL: there is none */
    bool has_beta;             /* there is */
    bool named;                /* names tell what it had: */
    bool scale, center;
};

static const char *const scales[] = { "scale", "no-scale", NULL };
static const char *const biases[] = { "bias", "no-bias", NULL };

/* -- finding -- */

static const struct node *maker_of(const struct value *v)
{
    return v ? v->producer : NULL;
}

/* What averages activations, in whatever shape that then is. */
static const struct node *mean_of(const struct value *v)
{
    const struct node *n = maker_of(v);

    while (n && n->def->flags & OP_REARRANGES)
        n = maker_of(n->in[0]);
    return n && (node_is(n, &op_reduce_mean) || node_is(n, &op_global_average_pool)) ? n : NULL;
}

/* The other factor of a product that has `of` as one; NULL where it is none of that. */
static const struct value *other_factor(const struct node *n, const struct value *of)
{
    if (!n || !node_is(n, &op_mul))
        return NULL;
    return n->in[0] == of ? n->in[1] : n->in[1] == of ? n->in[0] : NULL;
}

/* Of a product that scales: the constant factor with more than one element. */
static const struct value *scale_of(const struct vanished *v, const struct value *x)
{
    const struct node *n = maker_of(x);

    for (int k = 0; n && node_is(n, &op_mul) && k < 2; k++)
        if (!v->facts.active[n->in[k]->id] && n->in[k]->initializer && n->in[k]->initializer->rank > 0)
            return n->in[k];
    return NULL;
}

/* Is it (- mean) m? */
static bool is_shift(struct layer *l, const struct node *n, const struct value *by)
{
    const struct node *minus = maker_of(other_factor(n, by));

    l->mean = minus && node_is(minus, &op_neg) ? mean_of(minus->in[0]) : NULL;
    l->shift = n;
    l->by = by;
    return l->mean;
}

/* The same with beta, or another constant. */
static const struct node *without_beta(const struct vanished *v, const struct node *n, bool *has)
{
    for (int k = 0; n && node_is(n, &op_add) && k < 2; k++)
        if (!v->facts.active[n->in[k]->id]) {
            *has = true;
            return maker_of(n->in[1 - k]);
        }
    return n;
}

static bool find_sum(const struct vanished *v, const struct node *n, struct layer *out)
{
    for (int k = 0; node_is(n, &op_add) && k < 2; k++) {
        const struct node *x = maker_of(n->in[k]);
        bool has = false;
        const struct node *shift = without_beta(v, maker_of(n->in[1 - k]), &has);

        for (int i = 0; x && node_is(x, &op_mul) && i < 2; i++)
            if (is_shift(out, shift, x->in[i])) {
                out->end = n;
                out->product = x;
                out->has_beta = has;
                out->gamma = scale_of(v, out->by);
                return true;
            }
    }
    return false;
}

/* The length of the scope that "SCOPE/end" has; 0 where the name does not end so. */
static size_t scope_before(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);

    return length > tail && strcmp(name + length - tail, end) == 0 ? length - tail : 0;
}

static bool is_in_scope(const char *name, const char *scope, size_t length, const char *end)
{
    return scope_before(name, end) == length && strncmp(name, scope, length) == 0;
}

static void read_names(struct layer *l)
{
    const char *name = l->mean->name;
    const size_t length = scope_before(name, "/moments/mean");

    l->center = is_in_scope(l->end->name, name, length, "/add_2");
    l->scale = is_in_scope(l->product->name, name, length, "/mul_2");
    l->named = length && (l->center || is_in_scope(l->end->name, name, length, "/add_1")) &&
               (l->scale || is_in_scope(l->product->name, name, length, "/mul_1"));
}

/* -- what comes back -- */

/* GroupNormalization has made groups of the channels in its own scope. */
static bool makes_groups(const struct layer *l)
{
    const struct node *before = maker_of(l->mean->in[0]);
    const size_t length = scope_before(l->mean->name, "/moments/mean");

    return before && node_is(before, &op_reshape) && length &&
           is_in_scope(before->name, l->mean->name, length, "/Reshape");
}

/* The shape of its parameters: as gamma has it, or the dimensions that are averaged over; of groups theirs and the next one. */
static bool find_shape(const struct vanished *v, const struct layer *l, bool groups, struct tensor *out)
{
    const struct tensor *x = facts_type(&v->facts, l->mean->in[0]), *mean = facts_type(&v->facts, l->mean->out[0]);
    int group = 0;

    if (l->gamma) {
        *out = *l->gamma->initializer;
        return true;
    }
    if (!x || !mean || x->rank != mean->rank)
        return false;
    *out = (struct tensor){ .dtype = x->dtype, .rank = x->rank };
    for (int d = 1; d < x->rank && !group; d++)
        group = mean->dims[d] != 1 ? d : 0;
    for (int d = 0; d < x->rank; d++) {
        const bool has = groups ? group && (d == group || d == group + 1) : d > 0 && mean->dims[d] == 1;

        out->dims[d] = has ? x->dims[d] : 1;
    }
    return tensor_count(out) > 0;
}

/* What a step has given already: a layer may be used several times. */
static const char *constant_for(struct vanished *v, const struct layer *l, const char *what, int number,
                                const struct tensor *like)
{
    const char *name, **given = l->gamma ? &v->given[l->gamma->id] : NULL;

    if (given && *given)
        return *given;
    name = vanished_constant(v, l->end->name, what, number, like);
    if (given)
        *given = name;
    return name;
}

static const char done_named[] = "it gets one of zeros: names tell that it had one, and zeros are not exported";
static const char done_guessed[] = "it gets one of zeros, as Keras' layers begin with: zeros are not exported, and no "
                                   "layer of the file has a bias";

static bool give_beta(struct vanished *v, const struct layer *l)
{
    const struct node *n = l->end;
    const char *chosen = adapt_choice(v->adapt, biases, n->name, l->gamma ? l->gamma->name : NULL), *name;
    struct tensor like;

    if ((chosen && strcmp(chosen, "no-bias") == 0) || !find_shape(v, l, makes_groups(l), &like))
        return true;
    name = constant_for(v, l, "beta", 0, &like);
    v->count++;
    return name && vanished_do_behind(v, n, &op_add, name) &&
           adapt_tell(v->adapt,
                      &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                         .found = makes_groups(l) ? "GroupNormalization without a beta"
                                                                  : "LayerNormalization without a beta",
                                         .evidence = name,
                                         .certainty = l->named ? LIKELY : DOUBTFUL,
                                         .done = l->named ? done_named : done_guessed,
                                         .unknown = l->named ? NULL : "whether it had one (no-bias: it has none)" });
}

static bool tell_scale(struct vanished *v, const struct node *n, const char *found, const char *evidence)
{
    return adapt_tell(v->adapt,
                      &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                         .found = found,
                                         .evidence = evidence,
                                         .certainty = LIKELY,
                                         .done = "it gets one of ones: names tell that it had one, and ones are not "
                                                 "exported" });
}

/* Both products read it then. */
static bool multiply(struct vanished *v, const struct layer *l, const char *gamma)
{
    struct edit *e = &v->edit;
    char *scaled = edit_fresh_name(e, l->by->name);
    Onnx__NodeProto *mul = scaled ? edit_insert_node(e, (size_t)l->by->producer->index, true, op_mul.name, NULL) : NULL;
    bool ok = mul && edit_set_inputs(e, mul, 2, (const char *const[]){ l->by->name, gamma }) &&
              edit_set_outputs(e, mul, 1, (const char *const[]){ scaled });

    for (int k = 0; ok && k < 2; k++) {
        const struct node *n = k ? l->shift : l->product;

        ok = edit_set_input(e, e->graph->node[n->index], n->in[0] != l->by, scaled);
    }
    budget_free(e->budget, scaled);
    return ok;
}

static bool give_scale(struct vanished *v, const struct layer *l)
{
    const struct node *n = l->end;
    const char *chosen = adapt_choice(v->adapt, scales, n->name, NULL), *name;
    struct tensor like;

    if ((chosen && strcmp(chosen, "no-scale") == 0) || facts_place(&v->facts, maker_of(l->by)) < 0 ||
        !find_shape(v, l, makes_groups(l), &like))
        return true;
    name = vanished_constant(v, n->name, "gamma", 1, &like);
    v->count++;
    return name && multiply(v, l, name) &&
           tell_scale(v, n,
                      makes_groups(l) ? "GroupNormalization without a gamma" : "LayerNormalization without a gamma",
                      name);
}

/* Is a constant added that may be beta, of groups with two dimensions? */
static bool is_summed(const struct vanished *v, const struct value *x)
{
    const struct node *n = v->facts.reader[x->id];

    return v->read[x->id] & READ_BIAS || (n && node_is(n, &op_add) && !v->facts.active[n->in[n->in[0] == x]->id]);
}

static bool give_lost(struct vanished *v, struct layer *l)
{
    read_names(l);
    if (l->named && l->scale && !l->gamma && !give_scale(v, l))
        return false;
    if (l->has_beta || is_summed(v, l->end->out[0]))
        return true;
    if (l->named ? !l->center : v->learned || !l->gamma)
        return true;
    return give_beta(v, l);
}

/* -- RMSNormalization -- */

/* The mean of squares of `x` that a root was drawn of, and divided by; NULL. */
static const struct node *mean_square_of(const struct vanished *v, const struct value *by, const struct value *x)
{
    const struct node *n = maker_of(by);
    const struct node *mean, *square;

    if (!n || !node_is(n, &op_reciprocal) || !(n = maker_of(n->in[0])) || !node_is(n, &op_sqrt) ||
        !(n = maker_of(n->in[0])) || !node_is(n, &op_add))
        return NULL;
    mean = mean_of(n->in[v->facts.active[n->in[0]->id] ? 0 : 1]);
    square = mean ? maker_of(mean->in[0]) : NULL;
    return square && node_is(square, &op_mul) && square->in[0] == x && square->in[1] == x ? mean : NULL;
}

/* Is it scaled by a constant for each channel? */
static bool is_scaled(const struct vanished *v, const struct value *x)
{
    const struct node *n = v->facts.reader[x->id];

    for (int k = 0; n && node_is(n, &op_mul) && k < 2; k++)
        if (n->in[1 - k] == x && !v->facts.active[n->in[k]->id] &&
            !(facts_type(&v->facts, n->in[k]) && tensor_count(facts_type(&v->facts, n->in[k])) == 1))
            return true;
    return false;
}

static bool list_scale(struct vanished *v, const struct node *n)
{
    return adapt_tell(v->adapt, &(struct finding){ .name = *n->name ? n->name : n->out[0]->name,
                                                   .found = "a division by the root of the mean square",
                                                   .evidence = "ones are not exported, and no layer of the file has a "
                                                               "bias",
                                                   .certainty = DOUBTFUL,
                                                   .done = "left as it is",
                                                   .unknown = "whether it is RMSNormalization, which has a scale "
                                                              "(scale: it is)" });
}

static bool give_to_rms(struct vanished *v, const struct node *n, const struct node *mean)
{
    const struct layer l = { .end = n, .mean = mean };
    const char *chosen = adapt_choice(v->adapt, scales, n->name, NULL), *name;
    const bool named = text_contains(n->name, "rms_norm");
    struct tensor like;

    if ((chosen && strcmp(chosen, "no-scale") == 0) || !find_shape(v, &l, false, &like))
        return true;
    if (!named && !chosen)
        return v->learned || list_scale(v, n);
    name = vanished_constant(v, n->name, "scale", 1, &like);
    v->count++;
    return name && vanished_do_behind(v, n, &op_mul, name) &&
           tell_scale(v, n, "RMSNormalization without a scale", name);
}

static bool look_for_rms(struct vanished *v, const struct node *n)
{
    const struct node *mean = NULL;

    for (int k = 0; node_is(n, &op_mul) && !mean && k < 2; k++)
        mean = mean_square_of(v, n->in[k], n->in[1 - k]);
    return !mean || is_scaled(v, n->out[0]) || give_to_rms(v, n, mean);
}

bool vanished_normalizations(struct vanished *v, const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        struct layer l;

        if (facts_place(&v->facts, n) < 0)
            continue;
        l = (struct layer){ 0 };
        if (find_sum(v, n, &l) ? !give_lost(v, &l) : !look_for_rms(v, n))
            return false;
    }
    return true;
}
