#include "api/data.h"
#include "data/batch.h"
#include <string.h>

struct samples {
    atomic_uint holders;
    struct budget budget;
    struct dataset data;
    kiln_context *context;
};

struct scaling {
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

static struct scaling *hold_scaling(struct scaling *s)
{
    if (s)
        atomic_fetch_add(&s->holders, 1);
    return s;
}

static void release_scaling(struct scaling *s)
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
    return data->scaling ? &data->scaling->normalizer : &data->none;
}

const struct tensor *api_samples_of(const struct model *m)
{
    const struct graph *g = m->graph;

    return g && g->input_count == 1 && g->inputs[0]->has_type ? &g->inputs[0]->type : NULL;
}

bool api_data_clues(const kiln_dataset *data, const struct model *m, struct trainer_options *to, struct tensor *batch,
                    struct report *r)
{
    const struct batch_options o = { .batch = 1 };
    const struct tensor *input = api_samples_of(m);
    struct batches b;

    to->targets = dataset_has_labels(&data->data) ? TARGETS_CLASSES : TARGETS_VALUES;
    to->classes = data->data.classes;
    if (!input)
        return true; /* the trainer tells what is wrong with it */
    if (!batches_init(&b, &data->data, NULL, input, NULL, &o, &data->samples->budget, r))
        return false;
    *batch = b.x;
    to->x = batch;
    batches_release(&b);
    return true;
}

/* -- making -- */

/* Takes both references; they are given back where there is no memory. */
static kiln_dataset *handle_new(struct samples *samples, struct scaling *scaling, const struct dataset *view,
                                struct report *r)
{
    kiln_dataset *d = api_alloc(sizeof *d, r);

    if (!d) {
        release_samples(samples);
        release_scaling(scaling);
        return NULL;
    }
    d->samples = samples;
    d->scaling = scaling;
    d->data = *view;
    d->sample = dataset_sample(view);
    d->none.features = tensor_count(&d->sample);
    d->info = (kiln_dataset_info){ .count = view->count,
                                   .classes = view->classes,
                                   .header = view->header,
                                   .dtype = (kiln_dtype)view->x.dtype,
                                   .rank = d->sample.rank,
                                   .dims = d->sample.dims };
    return d;
}

static bool begin(const kiln_data_options *options, kiln_data_options *o, struct data_options *to, kiln_error *err)
{
    const struct loss_def *loss;

    if (!api_options(o, sizeof *o, options, "KILN_DATA_OPTIONS_INIT", err) ||
        !api_check_limits(NULL, 0, o->seconds, err))
        return false;
    if (o->part != KILN_PART_TRAIN && o->part != KILN_PART_TEST) {
        api_refuse(err, "part %d is unknown", (int)o->part);
        return false;
    }
    loss = loss_named(o->loss);
    *to = (struct data_options){ .limit = o->limit,
                                 .values = o->values || (loss && loss->labels == LABELS_NUMBERS),
                                 .classes = o->as ? o->as->data.classes : 0,
                                 .input = o->model ? api_samples_of(o->model->model) : NULL };
    return true;
}

/* From `spec`, or from tensors. */
static kiln_status make(kiln_dataset **out, const char *spec, const kiln_tensor *x, const kiln_tensor *y,
                        const kiln_data_options *options, kiln_error *err)
{
    struct data_options to;
    kiln_data_options o;
    struct report r;
    struct samples *s;
    bool ok;

    if (!begin(options, &o, &to, err))
        return KILN_BAD_ARGUMENT;
    r = api_report(o.context);
    s = api_alloc(sizeof *s, &r);
    if (!s)
        return api_end(&r, false, err);
    s->holders = 1;
    s->context = context_hold(o.context);
    s->budget = (struct budget){ .limit = o.memory, .seconds = o.seconds, .total = context_total(o.context) };
    budget_start(&s->budget);
    ok = spec ? dataset_open(&s->data, spec, o.part == KILN_PART_TEST ? PART_TEST : PART_TRAIN, &to, &s->budget, &r)
              : dataset_of_arrays(&s->data, &x->tensor, &y->tensor, &to, &s->budget, &r);
    ok = ok && budget_in_time(&s->budget, spec, &r);
    budget_stop(&s->budget);
    if (ok)
        *out = handle_new(s, NULL, &s->data, &r);
    else
        release_samples(s);
    return api_end(&r, *out, err);
}

kiln_status kiln_dataset_open(kiln_dataset **out, const char *spec, const kiln_data_options *options, kiln_error *err)
{
    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    return spec ? make(out, spec, NULL, NULL, options, err) : api_refuse(err, "spec is NULL");
}

kiln_status kiln_dataset_new(kiln_dataset **out, const kiln_tensor *x, const kiln_tensor *y,
                             const kiln_data_options *options, kiln_error *err)
{
    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!x || !y)
        return api_refuse(err, "%s is NULL", x ? "y" : "x");
    if (x->tensor.kind != TENSOR || y->tensor.kind != TENSOR || x->tensor.rank < 1 || y->tensor.rank < 1)
        return api_refuse(err, "x and y must be tensors with a dimension for the samples");
    return make(out, NULL, x, y, options, err);
}

kiln_status kiln_dataset_split(kiln_dataset **train, kiln_dataset **validation, const kiln_dataset *data,
                               double fraction, kiln_error *err)
{
    struct dataset first, last;
    struct report r = api_report(data ? data->samples->context : NULL);

    if (!train || !validation)
        return api_refuse(err, "%s is NULL", train ? "validation" : "train");
    *train = *validation = NULL;
    if (!data)
        return api_refuse(err, "data is NULL");
    if (dataset_split(&data->data, fraction, &first, &last, &r)) {
        *train = handle_new(hold_samples(data->samples), hold_scaling(data->scaling), &first, &r);
        *validation = handle_new(hold_samples(data->samples), hold_scaling(data->scaling), &last, &r);
    }
    if (!*train || !*validation) {
        kiln_dataset_free(*train);
        kiln_dataset_free(*validation);
        *train = *validation = NULL;
    }
    return api_end(&r, *train, err);
}

static bool find_kind(const char *kind, enum normalization *out)
{
    for (int k = 0; k < NORMALIZATIONS; k++)
        if (strcmp(kind, normalization_names[k]) == 0) {
            *out = (enum normalization)k;
            return true;
        }
    return false;
}

const char *kiln_normalization_name(size_t k)
{
    return k < NORMALIZATIONS ? normalization_names[k] : NULL;
}

static struct scaling *fit(const kiln_dataset *fitted, enum normalization kind, struct report *r)
{
    struct scaling *s = api_alloc(sizeof *s, r);

    if (!s)
        return NULL;
    s->holders = 1;
    s->context = context_hold(fitted->samples->context);
    s->budget = budget_like(&fitted->samples->budget);
    if (normalizer_fit(&s->normalizer, kind, &fitted->data, &s->budget, r))
        return s;
    context_release(s->context);
    api_free(s);
    return NULL;
}

kiln_status kiln_dataset_normalize(kiln_dataset **out, const kiln_dataset *data, const char *kind,
                                   const kiln_dataset *fitted, kiln_error *err)
{
    enum normalization chosen;
    struct report r = api_report(data ? data->samples->context : NULL);
    struct scaling *s;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!data || !kind)
        return api_refuse(err, "%s is NULL", data ? "kind" : "data");
    if (!find_kind(kind, &chosen))
        return api_refuse(err, "kind '%s' is none of those that kiln_normalization_name gives", kind);
    fitted = fitted ? fitted : data;
    if (tensor_count(&fitted->sample) != tensor_count(&data->sample))
        fail(&r, KILN_BAD_DATA, NULL, "samples have %lld features, those that it is fitted to %lld",
             (long long)tensor_count(&data->sample), (long long)tensor_count(&fitted->sample));
    s = failed(&r) ? NULL : fit(fitted, chosen, &r);
    if (s)
        *out = handle_new(hold_samples(data->samples), s, &data->data, &r);
    return api_end(&r, *out, err);
}

void kiln_dataset_free(kiln_dataset *data)
{
    if (!data)
        return;
    release_scaling(data->scaling);
    release_samples(data->samples);
    api_free(data);
}

const kiln_dataset_info *kiln_dataset_about(const kiln_dataset *data)
{
    return data ? &data->info : NULL;
}
