/* What a trainer is asked for, and what the data tell of it. */
#include "api/data.h"
#include "base/spec.h"
#include "data/batch.h"
#include "data/stream.h"
#include "train/decided.h"
#include <math.h>
#include <string.h>

/* More than a loss can be multiplied by and stay a float. */
#define MOST_WEIGHT 1e30
#define MOST_FACTOR 1e6

static bool check_texts(const char *const *patterns, size_t count, const char *what, kiln_error *err)
{
    if (count && !patterns) {
        api_refuse(err, "%s is NULL, must hold %zu texts", what, count);
        return false;
    }
    for (size_t k = 0; k < count; k++)
        if (!patterns[k]) {
            api_refuse(err, "%s[%zu] is NULL", what, k);
            return false;
        }
    return true;
}

static bool check_targets(const kiln_trainer_options *o, kiln_error *err)
{
    if (o->target_count && !o->targets) {
        api_refuse(err, "targets is NULL, must hold %zu", o->target_count);
        return false;
    }
    for (size_t k = 0; k < o->target_count; k++)
        if (!(o->targets[k].weight >= 0 && o->targets[k].weight <= MOST_WEIGHT) || !fits_float(o->targets[k].weight)) {
            api_refuse(err, "the weight of target %zu is %g, must be 0, or a float of at most %g", k,
                       o->targets[k].weight, MOST_WEIGHT);
            return false;
        }
    return true;
}

static bool check_regularizers(const kiln_trainer_options *o, kiln_error *err)
{
    if (o->regularizer_count && !o->regularizers) {
        api_refuse(err, "regularizers is NULL, must hold %zu", o->regularizer_count);
        return false;
    }
    for (size_t k = 0; k < o->regularizer_count; k++)
        if (!o->regularizers[k].pattern || !o->regularizers[k].regularizer) {
            api_refuse(err, "regularizer %zu has no %s", k, o->regularizers[k].pattern ? "name" : "pattern");
            return false;
        }
    return true;
}

/* The factor of the largest learning rate must be a float, too. */
static bool check_factors(const kiln_trainer_options *o, kiln_error *err)
{
    if (o->rate_factor_count && !o->rate_factors) {
        api_refuse(err, "rate_factors is NULL, must hold %zu", o->rate_factor_count);
        return false;
    }
    for (size_t k = 0; k < o->rate_factor_count; k++) {
        const kiln_rate_factor *f = &o->rate_factors[k];

        if (!f->pattern) {
            api_refuse(err, "rate factor %zu has no pattern", k);
            return false;
        }
        if (!(f->factor > 0 && f->factor <= MOST_FACTOR) || !fits_float(f->factor)) {
            api_refuse(err, "the rate factor of '%s' is %g, must be a float above 0, of at most %g", f->pattern,
                       f->factor, MOST_FACTOR);
            return false;
        }
    }
    return true;
}

static bool check_truncation(const kiln_trainer_options *o, kiln_error *err)
{
    if (o->bptt >= 0 && o->bptt <= INT32_MAX)
        return true;
    api_refuse(err, "bptt is %lld, must be from 0 to %d", (long long)o->bptt, INT32_MAX);
    return false;
}

bool api_check_training(const kiln_trainer_options *o, kiln_error *err)
{
    return check_texts(o->freeze, o->freeze_count, "freeze", err) &&
           check_texts(o->train, o->train_count, "train", err) &&
           check_texts(o->exclude_from_weight_decay, o->exclude_from_weight_decay_count, "exclude_from_weight_decay",
                       err) &&
           check_texts(o->metrics, o->metric_count, "metrics", err) && check_targets(o, err) &&
           check_regularizers(o, err) && check_factors(o, err) && check_truncation(o, err);
}

/* -- what the data tell -- */

static bool find_targets(const kiln_trainer_options *o, const struct dataset *d, struct target_options *to,
                         size_t count, struct arena *a, struct report *r)
{
    struct column_request *q = arena_array(a, count, sizeof *q, r);

    if (!q)
        return false;
    for (size_t k = 0; k < count; k++)
        q[k].name = to[k].output;
    for (size_t k = 0; d && k < count; k++) {
        const struct column *c = column_find(d->y, d->targets, q, count, k);

        if (!c)
            return fail(r, KILN_BAD_DATA, NULL, "the data have nothing to be predicted for output '%s'", q[k].name);
        to[k].form = column_has_labels(c) ? TARGETS_CLASSES : TARGETS_VALUES;
        to[k].classes = c->classes;
        to[k].labels = &c->values;
    }
    for (size_t k = 0; !d && k < count; k++)
        to[k].form = o->values ? TARGETS_VALUES : TARGETS_CLASSES;
    return true;
}

/* Is it declared to be no float? An output of integers comes with those that learn, as an ArgMax beside its scores. */
static bool cannot_learn(const struct graph *g, const char *output)
{
    for (size_t k = 0; k < g->output_count; k++)
        if (strcmp(g->outputs[k]->name, output) == 0)
            return g->outputs[k]->has_type && !dtype_is_float(g->outputs[k]->type.dtype);
    return false; /* there is no such output: the trainer says so */
}

static bool leave_out(const struct model *m, const struct column *c, bool alone, struct report *r)
{
    if (cannot_learn(m->graph, c->name)) {
        if (!alone)
            warn(r, NULL, "output '%s' is of a type that cannot learn: what the data have for it is left out", c->name);
        return true;
    }
    if (decided_trains(m, c->name))
        return false;
    if (!alone)
        warn(r, NULL,
             "output '%s' does not train, says the file (" DECIDED_TRAINS "%s): what the data have for it is left out; "
             "--train-output names what trains",
             c->name, m->graph->outputs[decided_output(m)]->name);
    return true;
}

/* The columns that have names, but for those of outputs that do not train, as the file says, and of those that cannot
 * learn, unless nothing else is there. 0 with an error. */
static size_t named_targets(const struct dataset *d, const struct model *m, struct target_options *t, struct report *r)
{
    size_t count = 0;

    for (size_t k = 0; k < d->targets; k++)
        if (!leave_out(m, &d->y[k], d->targets == 1, r))
            t[count++].output = d->y[k].name;
    if (!count && !decided_trains(m, d->y->name)) {
        const char *trains = m->graph->outputs[decided_output(m)]->name;

        fail(r, KILN_BAD_DATA, NULL,
             "the data have nothing to be predicted for output '%s', which trains, says the file (" DECIDED_TRAINS
             "%s); what they have is for '%s': --train-output",
             trains, trains, d->y->name);
        return 0;
    }
    if (!count)
        t[count++].output = d->y->name;
    return count;
}

/* -- weights of classes -- */

/* How often each class is there in target k. */
static bool count_labels(const struct dataset *d, size_t k, double *counts, struct budget *b, struct report *r)
{
    const struct column *c = &d->y[k];
    const int64_t each = dims_product(c->values.dims, 1, c->values.rank);
    struct walk w;
    bool ok;

    if (!walk_begin(&w, d, b, r))
        return false;
    while ((ok = walk_next(&w, r)) && w.count)
        for (int64_t i = w.from * each; i < (w.from + w.count) * each; i++) {
            const int64_t label = ((const int64_t *)w.y[k].values.data)[i];

            if (!column_ignores(c, label))
                counts[label]++;
        }
    walk_end(&w);
    return ok;
}

/* Each class that is there as much as any other: as many as there are on average divided by as many as it has. */
static double *balanced_weights(const struct dataset *d, const struct column *c, int64_t *count, struct arena *a,
                                struct report *r)
{
    double *weights, classes = 0, all = 0;

    if (!c || !column_has_labels(c)) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "class weights that are balanced need data with one target, of classes");
        return NULL;
    }
    *count = c->classes;
    weights = arena_array(a, (size_t)*count, sizeof *weights, r);
    if (!weights || !count_labels(d, 0, weights, a->budget, r))
        return NULL;
    for (int64_t k = 0; k < *count; k++) {
        classes += weights[k] > 0;
        all += weights[k];
    }
    for (int64_t k = 0; k < *count; k++)
        weights[k] = weights[k] > 0 ? all / (classes * weights[k]) : 1;
    return weights;
}

static bool fail_weight(const char *spec, const char *at, struct report *r)
{
    return fail(r, KILN_BAD_ARGUMENT, NULL,
                "class weight '%.60s' at '%.20s': must be 'balanced' or 'CLASS=WEIGHT,...', weights from 0 on", spec,
                at);
}

/* The length of what stands for a class before a '=': a name that the data have, else a number; 0 where it is neither. */
static size_t read_class(const char *s, const struct column *c, double *class)
{
    enum { MOST = 1 << 20 };
    size_t found = 0, n;

    for (int k = 0; c && c->class_names && k < c->classes; k++) {
        n = strlen(c->class_names[k]);
        if (n > found && strncmp(s, c->class_names[k], n) == 0 && s[n] == '=') {
            *class = k;
            found = n;
        }
    }
    n = found ? found : decimal_read(s, class);
    return n && s[n] == '=' && *class >= 0 && *class < MOST && *class == floor(*class) ? n : 0;
}

/* "0=1,cat=2.5" into `weights`, which has room for `count` and is below 0 where nothing was said, or NULL to count first:
 * the largest class and 1. */
static bool read_weights(const char *spec, const struct column *c, double *weights, int64_t *count, struct report *r)
{
    const char *s = spec;

    for (;;) {
        const char *const at = s;
        double class, weight;
        size_t n = read_class(s, c, &class);

        if (!n)
            return fail_weight(spec, at, r);
        s += n + 1;
        n = decimal_read(s, &weight);
        s += n;
        if (!n || (*s && *s != ',') || !(weight >= 0) || !fits_float(weight))
            return fail_weight(spec, at, r);
        if (weights && weights[(int64_t) class] >= 0)
            return fail(r, KILN_BAD_ARGUMENT, NULL, "class weight '%.60s': class %.0f is there twice", spec, class);
        if (weights)
            weights[(int64_t) class] = weight;
        else if (class >= (double)*count)
            *count = (int64_t) class + 1;
        if (!*s++)
            return true;
    }
}

static bool choose_weights(const kiln_trainer_options *o, struct target_options *to, size_t targets, struct arena *a,
                           struct report *r)
{
    const struct dataset *d = o->data ? &o->data->data : NULL;
    const struct column *c = d && d->targets == 1 ? d->y : NULL;
    double *weights;

    if (!o->class_weight)
        return true;
    if (targets != 1)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "class weights are for one output that learns, there are %zu", targets);
    if (strcmp(o->class_weight, "balanced") == 0)
        return (to->class_weights = balanced_weights(d, c, &to->weighted, a, r));
    if (!read_weights(o->class_weight, c, NULL, &to->weighted, r))
        return false;
    weights = arena_array(a, (size_t)to->weighted, sizeof *weights, r);
    for (int64_t k = 0; weights && k < to->weighted; k++)
        weights[k] = -1;
    if (!weights || !read_weights(o->class_weight, c, weights, &to->weighted, r))
        return false;
    for (int64_t k = 0; k < to->weighted; k++)
        weights[k] = weights[k] < 0 ? 1 : weights[k];
    to->class_weights = weights;
    return true;
}

/* -- what is chosen -- */

/* Those that are asked for, else those that the data have by name, else one, of the first output. */
static bool choose_targets(const kiln_trainer_options *o, const struct model *m, struct trainer_options *to,
                           struct arena *a, struct report *r)
{
    const struct dataset *d = o->data ? &o->data->data : NULL;
    const size_t most = (d ? d->targets : 1) + o->target_count;
    struct target_options *t = arena_array(a, most, sizeof *t, r);

    if (!t)
        return false;
    to->targets = o->target_count;
    for (size_t k = 0; k < o->target_count; k++)
        t[k] = (struct target_options){ .output = o->targets[k].output,
                                        .loss = o->targets[k].loss,
                                        .weight = o->targets[k].weight };
    if (!to->targets)
        to->targets = d && d->y->name ? named_targets(d, m, t, r) : 1;
    if (!to->targets)
        return false;
    for (size_t k = 0; k < to->targets; k++) {
        t[k].loss = t[k].loss ? t[k].loss : o->loss;
        t[k].class_axis = o->class_axis;
    }
    to->target = t;
    return find_targets(o, d, t, to->targets, a, r) && choose_weights(o, t, to->targets, a, r);
}

/* Types of batches like those to come. */
static bool choose_samples(const kiln_trainer_options *o, const struct graph *g, struct trainer_options *to,
                           struct arena *a, struct report *r)
{
    const struct batch_options one = { .batch = 1 };
    struct batch_request q = { .inputs = g->input_count };
    struct tensor *x = arena_array(a, g->input_count, sizeof *x, r);
    struct batches b;

    if (!x)
        return false;
    to->x = x;
    if (!o->data) {
        if (o->sample && g->input_count != 1)
            return fail(r, KILN_BAD_ARGUMENT, NULL, "sample is of a model with one input, this one has %zu",
                        g->input_count);
        for (size_t k = 0; k < g->input_count; k++)
            x[k] = o->sample ? o->sample->tensor : (struct tensor){ .rank = UNKNOWN };
        return true;
    }
    q.input = api_inputs_of(g, a, r);
    for (size_t k = 0; q.input && k < q.inputs; k++) {
        x[k].rank = UNKNOWN;
        if (!q.input[k].type || q.input[k].type->rank < 1)
            return true; /* the trainer tells what is wrong with it */
    }
    if (!q.input || !batches_init(&b, &o->data->data, NULL, &q, &one, a->budget, r))
        return false;
    for (size_t k = 0; k < q.inputs; k++)
        x[k] = b.x[k].type;
    batches_release(&b);
    return true;
}

static bool choose_regularizers(const kiln_trainer_options *o, struct trainer_options *to, struct arena *a,
                                struct report *r)
{
    struct regularizer_options *q = arena_array(a, o->regularizer_count, sizeof *q, r);

    for (size_t k = 0; q && k < o->regularizer_count; k++)
        q[k] = (struct regularizer_options){ o->regularizers[k].pattern, o->regularizers[k].regularizer,
                                             o->regularizers[k].activity };
    to->regularizer = q;
    return q;
}

static bool choose_factors(const kiln_trainer_options *o, struct trainer_options *to, struct arena *a, struct report *r)
{
    struct rate_factor *f = arena_array(a, o->rate_factor_count, sizeof *f, r);

    for (size_t k = 0; f && k < o->rate_factor_count; k++)
        f[k] = (struct rate_factor){ o->rate_factors[k].pattern, o->rate_factors[k].factor };
    to->rate_factor = f;
    return f;
}

bool api_training_options(struct trainer_options *to, const kiln_trainer_options *o, const struct model *m,
                          struct arena *a, struct report *r)
{
    return choose_targets(o, m, to, a, r) && choose_samples(o, m->graph, to, a, r) &&
           choose_regularizers(o, to, a, r) && choose_factors(o, to, a, r);
}
