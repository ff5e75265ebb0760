#include "train/fit.h"
#include "api/data.h"
#include <math.h>
#include <string.h>

/* -- what the caller is told -- */

struct listening {
    const struct trainer *trainer;
    const struct dataset *data;
    const kiln_fit_options *options;
};

/* What says nothing of this training is not told. */
static const double *told(const struct listening *l, double *values)
{
    for (size_t m = 0; m < l->trainer->measure_count; m++)
        if (!measure_applies(l->trainer, l->data, m))
            values[m] = (double)NAN;
    return values;
}

static bool on_start(void *user, int64_t epochs, int64_t steps, struct report *r)
{
    const struct listening *l = user;

    (void)r;
    return l->options->start(l->options->user, epochs, steps);
}

static bool on_begin(void *user, int64_t epoch, struct report *r)
{
    const struct listening *l = user;

    (void)r;
    return l->options->begin(l->options->user, epoch);
}

static bool on_step(void *user, const struct fit_step *s, struct report *r)
{
    const struct listening *l = user;
    const kiln_fit_step step = { .step = s->step,
                                 .epoch = s->epoch,
                                 .done = s->done,
                                 .of = s->of,
                                 .loss = (double)s->loss,
                                 .so_far = told(l, s->so_far) };

    (void)r;
    return l->options->step(l->options->user, &step);
}

static kiln_epoch describe_epoch(const struct listening *l, const struct epoch *e)
{
    return (kiln_epoch){ .number = e->number,
                         .train = told(l, e->train),
                         .validation = told(l, e->validation),
                         .seconds = e->seconds,
                         .best = e->best,
                         .learning_rate = e->learning_rate };
}

static bool on_epoch(void *user, const struct epoch *e, struct report *r)
{
    const struct listening *l = user;
    const kiln_epoch epoch = describe_epoch(l, e);

    (void)r;
    return l->options->epoch(l->options->user, &epoch);
}

static bool on_past(void *user, const struct epoch *e, struct report *r)
{
    const struct listening *l = user;
    const kiln_epoch epoch = describe_epoch(l, e);

    (void)r;
    return l->options->past(l->options->user, &epoch);
}

/* -- epochs -- */

/* The measures that are asked for by name. */
struct measures_asked {
    struct measure_name best, restore;
};

static bool read_options(const kiln_fit_options *o, const struct trainer *t, struct fit_options *to,
                         struct measures_asked *m, struct report *r)
{
    *to =
        (struct fit_options){ .batch = o->batch ? o->batch : DEFAULT_BATCH,
                              .epochs = o->epochs ? o->epochs : 1,
                              .initial_epoch = o->initial_epoch,
                              .steps_per_epoch = o->steps_per_epoch,
                              .validation_freq = o->validation_freq,
                              .validation_steps = o->validation_steps,
                              .shuffle = !o->in_order,
                              .seed = o->seed,
                              .early_stop = { .on = o->early_stop, .patience = o->patience, .min_delta = o->min_delta },
                              .save_best = o->best ? &m->best : NULL,
                              .restore_best = o->restore_best ? &m->restore : NULL,
                              .checkpoint = o->checkpoint,
                              .checkpoint_steps = o->checkpoint_steps,
                              .resume = o->resume };
    if (o->batch < 0 || o->epochs < 0 || o->patience < 0 || !(o->min_delta >= 0))
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "batch is %lld, epochs %lld, patience %lld and min_delta %g, must not be negative",
                    (long long)o->batch, (long long)o->epochs, (long long)o->patience, o->min_delta);
    return (!o->best || measure_parse(&m->best, t, o->best, r)) &&
           (!o->restore_best || measure_parse(&m->restore, t, o->restore_best, r)) &&
           (!o->reduce_on_plateau || plateau_parse(&to->reduce_on_plateau, t, o->reduce_on_plateau, r)) &&
           (!o->early_stop || measure_parse(&to->early_stop.measure, t, o->early_stop, r));
}

kiln_status kiln_trainer_fit(kiln_trainer *trainer, const kiln_dataset *data, const kiln_fit_options *options,
                             int64_t *ran, kiln_error *err)
{
    struct listening l = { .data = data ? &data->data : NULL };
    const kiln_dataset *check;
    struct fit_events events;
    struct trainer *t;
    struct fit_options to;
    struct measures_asked measures;
    kiln_fit_options o;
    struct report r;
    int64_t epochs = 0;
    bool ok;

    if (ran)
        *ran = 0;
    if (!trainer || !data)
        return api_refuse(err, "%s is NULL", trainer ? "data" : "trainer");
    if (!api_options(&o, sizeof o, options, "KILN_FIT_OPTIONS_INIT", err))
        return KILN_BAD_ARGUMENT;
    r = api_report(api_trainer_context(trainer));
    check = o.validation;
    l.trainer = t = api_begin_call(trainer);
    l.options = &o;
    events = (struct fit_events){ .user = &l,
                                  .past = o.past ? on_past : NULL,
                                  .start = o.start ? on_start : NULL,
                                  .begin = o.begin ? on_begin : NULL,
                                  .step = o.step ? on_step : NULL,
                                  .epoch = o.epoch ? on_epoch : NULL };
    ok = read_options(&o, t, &to, &measures, &r);
    to.augmentation = api_augmentation(data);
    to.validation_normalizer = check ? api_normalizer(check) : NULL;
    ok =
        ok && trainer_fit(t, &data->data, check ? &check->data : NULL, api_normalizer(data), &to, &events, &epochs, &r);
    if (ran)
        *ran = epochs;
    return api_end(&r, ok, err);
}

kiln_status kiln_trainer_evaluate(kiln_trainer *trainer, const kiln_dataset *data, int64_t batch, double *values,
                                  kiln_error *err)
{
    struct report r = api_report(trainer ? api_trainer_context(trainer) : NULL);
    struct trainer *t;
    bool ok;

    if (!trainer || !data || !values)
        return api_refuse(err, "%s is NULL", !trainer ? "trainer" : data ? "values" : "data");
    if (batch < 0)
        return api_refuse(err, "batch is %lld, must not be negative", (long long)batch);
    t = api_begin_call(trainer);
    ok = trainer_evaluate(t, &data->data, api_normalizer(data), batch ? batch : DEFAULT_BATCH, values, &r);
    for (size_t m = 0; m < t->measure_count; m++)
        values[m] = ok && measure_applies(t, &data->data, m) ? values[m] : (double)NAN;
    return api_end(&r, ok, err);
}

/* The matrix as a tensor; what was counted is freed. */
static kiln_tensor *tensor_of(struct trainer *t, struct confusion_matrix *m, struct report *r)
{
    const int64_t dims[] = { m->classes, m->classes };
    kiln_tensor *out = NULL;
    kiln_error err;

    if (m->counts && !failed(r) && kiln_tensor_new(&out, KILN_INT64, 2, dims, m->counts, &err) != KILN_OK)
        fail(r, err.code, NULL, "%s", err.message);
    budget_free(&t->budget, m->counts);
    return out;
}

kiln_status kiln_trainer_confusion(kiln_tensor **out, kiln_trainer *trainer, const kiln_dataset *data, int64_t batch,
                                   size_t k, double *values, kiln_error *err)
{
    struct report r = api_report(trainer ? api_trainer_context(trainer) : NULL);
    struct confusion_matrix matrix = { 0 };
    struct trainer *t;
    double *room;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer || !data)
        return api_refuse(err, "%s is NULL", trainer ? "data" : "trainer");
    if (batch < 0 || k >= kiln_trainer_target_count(trainer))
        return api_refuse(err, "batch is %lld and target %zu, must not be negative and below %zu", (long long)batch, k,
                          kiln_trainer_target_count(trainer));
    t = api_begin_call(trainer);
    room = budget_zalloc(&t->budget, t->measure_count, sizeof *room, &r);
    if (room &&
        trainer_confusion(t, &data->data, api_normalizer(data), batch ? batch : DEFAULT_BATCH, k, room, &matrix, &r) &&
        values)
        memcpy(values, room, t->measure_count * sizeof *values);
    budget_free(&t->budget, room);
    *out = tensor_of(t, &matrix, &r);
    for (size_t m = 0; values && m < t->measure_count; m++)
        values[m] = *out && measure_applies(t, &data->data, m) ? values[m] : (double)NAN;
    return api_end(&r, *out, err);
}
