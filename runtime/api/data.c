#include "api/data.h"
#include "data/callback.h"
#include "data/element.h"
#include "data/stream.h"
#include "plan/samples_first.h"
#include "train/decided.h"
#include <string.h>

struct samples {
    atomic_uint holders;
    struct budget budget;
    struct dataset data;
    const char *output; /* of the model that it was opened for: what a target without a name is for; NULL */
    kiln_context *context;
};

struct fitted {
    atomic_uint holders;
    struct budget budget;
    struct normalizer normalizer;
    kiln_context *context; /* of the samples that it was fitted to */
};

static struct samples *hold_samples(struct samples *s)
{
    atomic_fetch_add(&s->holders, 1);
    return s;
}

static void release_samples(struct samples *s)
{
    if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    dataset_release(&s->data);
    context_release(s->context);
    api_free(s);
}

static struct fitted *hold_fitted(struct fitted *s)
{
    if (s)
        atomic_fetch_add(&s->holders, 1);
    return s;
}

static void release_fitted(struct fitted *s)
{
    if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    normalizer_release(&s->normalizer);
    context_release(s->context);
    api_free(s);
}

/* -- for trainers -- */

const struct normalizer *api_normalizer(const kiln_dataset *data)
{
    return data->fitted ? &data->fitted->normalizer : &data->none;
}

const struct augmentation *api_augmentation(const kiln_dataset *data)
{
    return data->augmented ? &data->augmentation : NULL;
}

kiln_context *api_data_context(const kiln_dataset *data)
{
    return data->samples->context;
}

const char *api_data_output(const kiln_dataset *data)
{
    return data->samples->output;
}

struct column_request *api_inputs_of(const struct graph *g, struct arena *a, struct report *r)
{
    struct column_request *q = arena_array(a, g->input_count, sizeof *q, r);
    struct tensor *types = arena_array(a, g->input_count, sizeof *types, r);

    for (size_t k = 0; q && types && k < g->input_count; k++) {
        types[k] = samples_first(g, k, &g->inputs[k]->type);
        q[k] = (struct column_request){ .name = g->inputs[k]->name, .type = g->inputs[k]->has_type ? &types[k] : NULL };
    }
    return types ? q : NULL;
}

/* -- making -- */

static void describe(kiln_dataset *d)
{
    for (size_t k = 0; k < d->data.inputs + d->data.targets; k++) {
        const struct column *c = k < d->data.inputs ? &d->data.x[k] : &d->data.y[k - d->data.inputs];

        d->columns[k] = (kiln_column_info){ .name = c->name,
                                            .dtype = (kiln_dtype)c->values.dtype,
                                            .rank = c->values.rank - 1,
                                            .dims = c->values.dims + 1,
                                            .classes = c->classes,
                                            .class_names = c->class_names };
    }
}

/* Takes both references; they are given back where there is no memory. */
static kiln_dataset *handle_new(struct samples *samples, struct fitted *fitted, const struct augmentation *augmentation,
                                const struct dataset *view, struct report *r)
{
    kiln_dataset *d = api_alloc(sizeof *d + (view->inputs + view->targets) * sizeof *d->columns, r);

    if (!d) {
        release_samples(samples);
        release_fitted(fitted);
        return NULL;
    }
    d->samples = samples;
    d->fitted = fitted;
    d->augmented = augmentation;
    if (augmentation)
        d->augmentation = *augmentation;
    d->data = *view;
    d->data.owns = false;
    d->info = (kiln_dataset_info){ .count = view->count == UNKNOWN ? 0 : view->count,
                                   .shuffle_buffer = view->stream ? view->stream->window : 0,
                                   .header = view->header,
                                   .inputs = view->inputs,
                                   .targets = view->targets,
                                   .weighted = dataset_is_weighted(view),
                                   .label = view->label,
                                   .unlabelled = view->unlabelled };
    describe(d);
    return d;
}

/* The loss that is said of an output; `rest`: what is said of no name is of it, too. */
static const char *loss_for(const kiln_data_options *o, const char *output, bool rest)
{
    const char *spec = o->loss;

    for (size_t k = 0; k < o->target_count; k++) {
        const kiln_target *t = &o->targets[k];

        if (t->loss && t->output && output && strcmp(t->output, output) == 0)
            return t->loss;
        if (t->loss && !t->output && rest)
            spec = t->loss;
    }
    return spec;
}

/* What is asked of what is to be predicted for an output; NULL: for any other. */
static struct column_request target_request(const kiln_data_options *o, const char *output, bool rest, struct arena *a)
{
    const char *said = loss_for(o, output, rest);
    const struct model *m = o->model ? o->model->model : NULL;
    const char *const spec = said || !m || !output ? said : decided_once(m, DECIDED_LOSS, output);
    const struct loss_def *loss = loss_named(spec);
    const struct dataset *as = o->as ? &o->as->data : NULL;
    struct column_request q = { .name = output, .values = o->values || (loss && loss->labels == LABELS_NUMBERS) };

    q.ignores = loss_spec_ignores(spec, &q.ignored, a);
    for (size_t c = 0; as && c < as->targets; c++)
        if (column_is(&as->y[c], output, rest && !as->y[c].name)) {
            q.classes = as->y[c].classes;
            q.class_names = as->y[c].class_names;
            q.values |= !column_has_labels(&as->y[c]);
        }
    return q;
}

/* Classes that the model's metadata name, where the set is not asked to be as another one. */
static bool know_classes(struct column_request *q, const kiln_data_options *o, struct arena *a, struct report *r)
{
    int count;

    if (o->as || q->values)
        return true;
    q->class_names = model_classes(o->model->model, q->name, &count, a, r);
    if (q->class_names)
        q->classes = count;
    return !failed(r);
}

/* What a column without a name is for: the one output that something is said of, or the first. */
static size_t unnamed_target(const kiln_data_options *o, const struct model *m)
{
    const struct graph *g = m->graph;

    for (size_t k = 0; o->target_count == 1 && o->targets->output && k < g->output_count; k++)
        if (strcmp(g->outputs[k]->name, o->targets->output) == 0)
            return k;
    return decided_output(m);
}

/* One for each output of the model; where there is none, for each name that something is known of, and one for all
 * others. */
static bool request_targets(struct data_options *to, const kiln_data_options *o, const struct graph *g, struct arena *a,
                            struct report *r)
{
    const struct dataset *as = o->as ? &o->as->data : NULL;
    const size_t most = g ? g->output_count : o->target_count + (as ? as->targets : 0) + 1;
    struct column_request *y = arena_array(a, most, sizeof *y, r);

    to->target = y;
    to->unnamed = g ? unnamed_target(o, o->model->model) : 0;
    for (size_t k = 0; y && g && k < g->output_count; k++) {
        y[k] = target_request(o, g->outputs[k]->name, k == to->unnamed, a);
        if (!know_classes(&y[to->targets++], o, a, r))
            return false;
    }
    for (size_t k = 0; y && !g && k < o->target_count; k++)
        if (o->targets[k].output)
            y[to->targets++] = target_request(o, o->targets[k].output, o->target_count == 1, a);
    for (size_t k = 0; y && !g && as && k < as->targets; k++)
        if (as->y[k].name)
            y[to->targets++] = target_request(o, as->y[k].name, false, a);
    if (y && !g) {
        to->unnamed = o->target_count == 1 && o->targets->output ? 0 : to->targets;
        y[to->targets++] = target_request(o, NULL, true, a);
    }
    return y;
}

static bool requests(struct data_options *to, const kiln_data_options *o, struct arena *a, struct report *r)
{
    const struct graph *g = o->model ? o->model->model->graph : NULL;

    *to = (struct data_options){
        .limit = o->limit, .unlabelled = o->unlabelled, .label = o->label, .borrow = o->borrow, .gaps = o->gaps
    };
    to->weights = o->weights ? &o->weights->tensor : NULL;
    to->window = o->shuffle_buffer;
    if (g) {
        to->inputs = g->input_count;
        to->input = api_inputs_of(g, a, r);
    }
    return (!g || to->input) && request_targets(to, o, g, a, r);
}

static bool check(const kiln_data_options *o, kiln_error *err)
{
    if (!api_check_limits(NULL, 0, o->seconds, err))
        return false;
    if (o->part != KILN_PART_TRAIN && o->part != KILN_PART_TEST)
        api_refuse(err, "part %d is unknown", (int)o->part);
    else if (o->shuffle_buffer < 0)
        api_refuse(err, "shuffle_buffer is %lld, must not be negative", (long long)o->shuffle_buffer);
    else if (o->target_count && !o->targets)
        api_refuse(err, "targets is NULL, must hold %zu", o->target_count);
    else
        return true;
    return false;
}

/* Where data are from: `spec`, a callback, or tensors. */
struct origin {
    const char *spec;
    const struct callback *callback;
    size_t inputs, targets;
    const kiln_column *x, *y;
};

/* The same columns, without copies. */
static struct column *columns_of(const kiln_column *from, size_t count, struct arena *a, struct report *r)
{
    struct column *to = arena_array(a, count, sizeof *to, r);

    for (size_t k = 0; to && k < count; k++)
        to[k] = (struct column){ .name = from[k].name, .values = from[k].tensor->tensor };
    return to;
}

static bool fill(struct samples *s, const struct origin *from, const kiln_data_options *o, struct report *r)
{
    struct arena scratch = { .budget = &s->budget };
    const struct column *x = NULL, *y = NULL;
    struct data_options to;
    bool ok = requests(&to, o, &scratch, r);

    if (ok && from->spec) {
        ok = dataset_open(&s->data, from->spec, o->part == KILN_PART_TEST ? PART_TEST : PART_TRAIN, &to, &s->budget, r);
    } else if (ok && from->callback) {
        ok = dataset_of_callback(&s->data, from->callback, &to, &s->budget, r);
    } else if (ok) {
        x = columns_of(from->x, from->inputs, &scratch, r);
        y = columns_of(from->y, from->targets, &scratch, r);
        ok = x && y && dataset_of_arrays(&s->data, from->inputs, x, from->targets, y, &to, &s->budget, r);
    }
    if (ok && o->model) {
        s->output = arena_printf(&s->data.columns, r, "%s", to.target[to.unnamed].name);
        ok = s->output;
    }
    arena_release(&scratch);
    return ok;
}

static kiln_status make(kiln_dataset **out, const struct origin *from, const kiln_data_options *options,
                        kiln_error *err)
{
    kiln_data_options o;
    struct report r;
    struct samples *s;
    bool ok;

    if (!api_options(&o, sizeof o, options, "KILN_DATA_OPTIONS_INIT", err) || !check(&o, err))
        return KILN_BAD_ARGUMENT;
    if (o.shuffle_buffer && !from->spec)
        return api_refuse(err, "shuffle_buffer is %lld, and is for files alone%s", (long long)o.shuffle_buffer,
                          from->callback ? ": that of a stream is in kiln_stream" : "");
    r = api_report(o.context);
    s = api_alloc(sizeof *s, &r);
    if (!s)
        return api_end(&r, false, err);
    s->holders = 1;
    s->context = context_hold(o.context);
    s->budget = (struct budget){ .limit = o.memory, .seconds = o.seconds, .total = context_total(o.context) };
    budget_start(&s->budget);
    ok = fill(s, from, &o, &r) && budget_in_time(&s->budget, from->spec, &r);
    budget_stop(&s->budget);
    if (ok)
        *out = handle_new(s, NULL, NULL, &s->data, &r);
    else
        release_samples(s);
    return api_end(&r, *out, err);
}

kiln_status kiln_dataset_open(kiln_dataset **out, const char *spec, const kiln_data_options *options, kiln_error *err)
{
    const struct origin from = { .spec = spec };

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    return spec ? make(out, &from, options, err) : api_refuse(err, "spec is NULL");
}

/* Tensors with a dimension for the samples, and names where there are several. */
static bool check_columns(const kiln_column *columns, size_t count, const char *what, kiln_error *err)
{
    if (!columns || !count) {
        api_refuse(err, "%s is %s", what, columns ? "empty" : "NULL");
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        const kiln_tensor *t = columns[k].tensor;

        if (!t || t->tensor.kind != TENSOR || t->tensor.rank < 1) {
            api_refuse(err, "column %zu of %s is %s, must be a tensor with a dimension for the samples", k, what,
                       !t                         ? "NULL"
                       : t->tensor.kind != TENSOR ? "none"
                                                  : "a scalar");
            return false;
        }
        if (count > 1 && !columns[k].name) {
            api_refuse(err, "column %zu of %s has no name, must have one where there are several", k, what);
            return false;
        }
        for (size_t before = 0; before < k; before++)
            if (strcmp(columns[before].name, columns[k].name) == 0) {
                api_refuse(err, "%s has two columns '%s'", what, columns[k].name);
                return false;
            }
    }
    return true;
}

kiln_status kiln_dataset_new_of(kiln_dataset **out, const kiln_column *inputs, size_t input_count,
                                const kiln_column *targets, size_t target_count, const kiln_data_options *options,
                                kiln_error *err)
{
    const struct origin from = { .inputs = input_count, .x = inputs, .targets = target_count, .y = targets };

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!check_columns(inputs, input_count, "inputs", err) || !check_columns(targets, target_count, "targets", err))
        return KILN_BAD_ARGUMENT;
    return make(out, &from, options, err);
}

kiln_status kiln_dataset_new(kiln_dataset **out, const kiln_tensor *x, const kiln_tensor *y,
                             const kiln_data_options *options, kiln_error *err)
{
    const kiln_column input = { NULL, x }, target = { NULL, y };

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!x || !y)
        return api_refuse(err, "%s is NULL", x ? "y" : "x");
    return kiln_dataset_new_of(out, &input, 1, &target, 1, options, err);
}

/* Real numbers, and names where there are several. */
static bool check_stream_columns(const kiln_column_info *columns, size_t count, const char *what, kiln_error *err)
{
    if (!columns || !count) {
        api_refuse(err, "%s is %s", what, columns ? "empty" : "NULL");
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        const kiln_column_info *c = &columns[k];
        int64_t elements = 1;

        for (int d = 0; c->rank > 0 && c->rank < MAX_RANK && c->dims && d < c->rank; d++)
            if (c->dims[d] < 1 || !mul_size(elements, c->dims[d], &elements))
                elements = 0;
        if (c->rank < 0 || c->rank >= MAX_RANK || (c->rank && !c->dims) || !elements || elements > INT64_MAX / 16 ||
            c->classes < 0 || c->classes >= INT32_MAX || (int)c->dtype < 0 || (int)c->dtype >= DTYPES ||
            !element_getter((enum dtype)c->dtype)) {
            api_refuse(err,
                       "column %zu of %s must be of real numbers, with dimensions from 1 on, and of classes from 0 on",
                       k, what);
            return false;
        }
        if (count > 1 && !c->name) {
            api_refuse(err, "column %zu of %s has no name, must have one where there are several", k, what);
            return false;
        }
        for (size_t before = 0; before < k; before++)
            if (strcmp(columns[before].name, c->name) == 0) {
                api_refuse(err, "%s has two columns '%s'", what, c->name);
                return false;
            }
    }
    return true;
}

/* As the library has them, in the arena. */
static struct column *stream_columns(const kiln_column_info *from, size_t count, int64_t rows, struct arena *a,
                                     struct report *r)
{
    struct column *to = arena_array(a, count, sizeof *to, r);

    for (size_t k = 0; to && k < count; k++) {
        struct tensor *t = &to[k].values;

        to[k] = (struct column){ .name = from[k].name,
                                 .classes = (int)from[k].classes,
                                 .class_names = from[k].classes ? from[k].class_names : NULL };
        *t = (struct tensor){ .dtype = (enum dtype)from[k].dtype, .rank = from[k].rank + 1, .dims = { rows } };
        for (int d = 0; d < from[k].rank; d++)
            t->dims[d + 1] = from[k].dims[d];
    }
    return to;
}

kiln_status kiln_dataset_stream(kiln_dataset **out, const kiln_stream *stream, const kiln_data_options *options,
                                kiln_error *err)
{
    struct budget budget = { 0 };
    struct arena scratch = { .budget = &budget };
    struct report r = { 0 };
    struct callback c;
    kiln_status status;
    kiln_stream s;
    int64_t rows;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!stream)
        return api_refuse(err, "stream is NULL");
    if (!api_options(&s, sizeof s, stream, "KILN_STREAM_INIT", err))
        return KILN_BAD_ARGUMENT;
    if (!s.next || s.count < 0 || s.shuffle_buffer < 0)
        return api_refuse(err, "next is %s, count %lld and shuffle_buffer %lld, must not be NULL, and not negative",
                          s.next ? "there" : "NULL", (long long)s.count, (long long)s.shuffle_buffer);
    if (!check_stream_columns(s.inputs, s.input_count, "inputs", err) ||
        !check_stream_columns(s.targets, s.target_count, "targets", err))
        return KILN_BAD_ARGUMENT;
    rows = s.count ? s.count : UNKNOWN;
    c = (struct callback){ .inputs = s.input_count,
                           .targets = s.target_count,
                           .x = stream_columns(s.inputs, s.input_count, rows, &scratch, &r),
                           .y = stream_columns(s.targets, s.target_count, rows, &scratch, &r),
                           .count = rows,
                           .window = s.shuffle_buffer ? s.shuffle_buffer : 1,
                           .weighted = s.weighted,
                           .start = s.start,
                           .next = s.next,
                           .user = s.user };
    status = c.x && c.y ? make(out, &(struct origin){ .callback = &c }, options, err) : api_end(&r, false, err);
    arena_release(&scratch);
    return status;
}

kiln_status kiln_dataset_split(kiln_dataset **train, kiln_dataset **validation, const kiln_dataset *data,
                               double fraction, kiln_error *err)
{
    const struct augmentation *a = data ? api_augmentation(data) : NULL;
    struct dataset first, last;
    struct report r = api_report(data ? data->samples->context : NULL);

    if (!train || !validation)
        return api_refuse(err, "%s is NULL", train ? "validation" : "train");
    *train = *validation = NULL;
    if (!data)
        return api_refuse(err, "data is NULL");
    if (dataset_split(&data->data, fraction, &first, &last, &r)) {
        *train = handle_new(hold_samples(data->samples), hold_fitted(data->fitted), a, &first, &r);
        *validation = handle_new(hold_samples(data->samples), hold_fitted(data->fitted), a, &last, &r);
    }
    if (!*train || !*validation) {
        kiln_dataset_free(*train);
        kiln_dataset_free(*validation);
        *train = *validation = NULL;
    }
    return api_end(&r, *train, err);
}

/* The place of the first `n` bytes in a list of names; -1. */
static int place_of(const char *s, size_t n, const char *const *names, int count)
{
    for (int k = 0; k < count; k++)
        if (strlen(names[k]) == n && strncmp(names[k], s, n) == 0)
            return k;
    return -1;
}

/* "KIND[:OF]" */
static bool find_kind(const char *kind, enum normalization *out, enum normalization_of *of)
{
    const size_t n = strcspn(kind, ":");
    const int what = place_of(kind, n, normalization_names, NORMALIZATIONS);
    const int by =
        kind[n] ? place_of(kind + n + 1, strlen(kind + n + 1), normalization_of_names, NORMALIZATIONS_OF) : 0;

    if (what < 0 || by < 0)
        return false;
    *out = (enum normalization)what;
    *of = (enum normalization_of)by;
    return true;
}

const char *kiln_normalization_name(size_t k)
{
    return k < NORMALIZATIONS ? normalization_names[k] : NULL;
}

static struct fitted *fitted_new(const kiln_dataset *to, struct report *r)
{
    struct fitted *s = api_alloc(sizeof *s, r);

    if (!s)
        return NULL;
    s->holders = 1;
    s->context = context_hold(to->samples->context);
    s->budget = budget_like(&to->samples->budget);
    s->normalizer.memory.budget = &s->budget;
    return s;
}

static struct fitted *fit(const kiln_dataset *to, enum normalization kind, enum normalization_of of, struct report *r)
{
    struct fitted *s = fitted_new(to, r);

    if (!s || normalizer_fit_of(&s->normalizer, kind, of, &to->data, &s->budget, r))
        return s;
    release_fitted(s);
    return NULL;
}

/* The same samples. Takes the reference to what they are normalised by, which may be NULL, with the error told. */
static kiln_dataset *normalized_by(const kiln_dataset *data, struct fitted *s, struct report *r)
{
    return s ? handle_new(hold_samples(data->samples), s, api_augmentation(data), &data->data, r) : NULL;
}

/* Every input needs one that it is fitted to, with as many features. */
static bool check_features(const struct dataset *data, const struct dataset *fitted, struct report *r)
{
    for (size_t k = 0; k < data->inputs; k++) {
        const struct column *other = NULL;
        struct tensor a, b;

        for (size_t j = 0; j < fitted->inputs && !other; j++)
            if (column_is(&fitted->x[j], data->x[k].name, data->inputs == 1 && fitted->inputs == 1))
                other = &fitted->x[j];
        if (!other)
            return fail(r, KILN_BAD_DATA, NULL, "there is nothing that '%s' could be fitted to",
                        data->x[k].name ? data->x[k].name : "x");
        a = column_sample(&data->x[k]);
        b = column_sample(other);
        if (tensor_count(&a) != tensor_count(&b))
            return fail(r, KILN_BAD_DATA, NULL, "samples have %lld features, those that it is fitted to %lld",
                        (long long)tensor_count(&a), (long long)tensor_count(&b));
    }
    return true;
}

kiln_status kiln_dataset_normalize(kiln_dataset **out, const kiln_dataset *data, const char *kind,
                                   const kiln_dataset *fitted, kiln_error *err)
{
    enum normalization chosen;
    enum normalization_of of;
    struct report r = api_report(data ? data->samples->context : NULL);
    struct fitted *s;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!data || !kind)
        return api_refuse(err, "%s is NULL", data ? "kind" : "data");
    if (!find_kind(kind, &chosen, &of))
        return api_refuse(err,
                          "kind '%s' is none of those that kiln_normalization_name gives, or behind it is no "
                          "':feature', ':channel' or ':whole'",
                          kind);
    fitted = fitted ? fitted : data;
    s = check_features(&data->data, &fitted->data, &r) ? fit(fitted, chosen, of, &r) : NULL;
    *out = normalized_by(data, s, &r);
    return api_end(&r, *out, err);
}

static bool check_images(const struct dataset *d, const struct augmentation *a, struct report *r)
{
    const struct tensor sample = column_sample(&d->x[0]);
    struct image image;

    if (d->inputs != 1)
        return fail(r, KILN_BAD_DATA, NULL, "the data have %zu inputs, augmentation needs one, of images", d->inputs);
    return augmentation_image(&image, a, &sample, r);
}

kiln_status kiln_dataset_augment(kiln_dataset **out, const kiln_dataset *data, const char *keys, kiln_error *err)
{
    struct report r = api_report(data ? data->samples->context : NULL);
    struct augmentation a;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!data || !keys)
        return api_refuse(err, "%s is NULL", data ? "keys" : "data");
    if (augmentation_read(&a, keys, &r) && check_images(&data->data, &a, &r))
        *out = handle_new(hold_samples(data->samples), hold_fitted(data->fitted), &a, &data->data, &r);
    return api_end(&r, *out, err);
}

void kiln_dataset_free(kiln_dataset *data)
{
    if (!data)
        return;
    release_fitted(data->fitted);
    release_samples(data->samples);
    api_free(data);
}

const kiln_dataset_info *kiln_dataset_about(const kiln_dataset *data)
{
    return data ? &data->info : NULL;
}

const kiln_column_info *kiln_dataset_input(const kiln_dataset *data, size_t k)
{
    return data && k < data->info.inputs ? &data->columns[k] : NULL;
}

const kiln_column_info *kiln_dataset_target(const kiln_dataset *data, size_t k)
{
    return data && k < data->info.targets ? &data->columns[data->info.inputs + k] : NULL;
}

const char *kiln_dataset_sample_name(const kiln_dataset *data, int64_t i)
{
    return data && data->data.names && i >= 0 && i < data->info.count ? data->data.names[data->data.from + i] : NULL;
}

/* -- normalised as a model has it -- */

kiln_status kiln_dataset_normalize_for(kiln_dataset **out, const kiln_dataset *data, const kiln_model *model,
                                       kiln_error *err)
{
    struct report r = api_report(data ? data->samples->context : NULL);
    kiln_status usable;
    struct fitted *s;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!data || !model)
        return api_refuse(err, "%s is NULL", data ? "model" : "data");
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    s = fitted_new(data, &r);
    if (s && !model_normalizer(&s->normalizer, model->model, &s->budget, &r)) {
        release_fitted(s);
        s = NULL;
    }
    *out = normalized_by(data, s, &r);
    return api_end(&r, *out, err);
}

const char *kiln_dataset_normalization(const kiln_dataset *data, size_t k)
{
    const struct scaling *s;

    if (!data || k >= data->info.inputs || !data->fitted)
        return NULL;
    s = scaling_find(&data->fitted->normalizer, data->data.x[k].name);
    return s && s->kind != NORMALIZE_NONE ? normalization_names[s->kind] : NULL;
}
