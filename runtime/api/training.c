/* Training as a file says it. */
#include "api/data.h"
#include "train/training_info_fit.h"
#include <string.h>

struct kiln_training {
    struct training_info *training;
    kiln_context *context;
    kiln_value_info *inputs; /* memory of the training's arena */
    struct tensor *x;        /* [inputs] a batch */
    bool ran;                /* the latest call was a step that went well: there are results */
};

size_t kiln_model_training_count(const kiln_model *model)
{
    return model && model->model->proto ? model->model->proto->n_training_info : 0;
}

static bool start(kiln_training *t, const kiln_model *model, const kiln_session_options *o, struct report *r)
{
    const struct session_options so = { .threads = o->threads,
                                        .exact = o->exact,
                                        .memory = o->memory,
                                        .seed = o->seed,
                                        .seconds = o->seconds,
                                        .total = context_total(o->context),
                                        .pool = o->context ? o->context->pool : NULL };

    t->context = context_hold(o->context);
    t->training = training_info_new(model->model, &so, r);
    if (!t->training)
        return false;
    t->inputs = arena_array(&t->training->arena, t->training->inputs, sizeof *t->inputs, r);
    t->x = arena_array(&t->training->arena, t->training->inputs, sizeof *t->x, r);
    for (size_t k = 0; t->inputs && k < t->training->inputs; k++) {
        api_describe_value(&t->inputs[k], t->training->input[k]);
        t->inputs[k].place = k;
    }
    return t->inputs && t->x;
}

kiln_status kiln_training_new(kiln_training **out, const kiln_model *model, const kiln_session_options *options,
                              kiln_error *err)
{
    kiln_session_options o;
    kiln_status usable;
    kiln_training *t;
    struct report r;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    if (!api_options(&o, sizeof o, options, "KILN_SESSION_OPTIONS_INIT", err) ||
        !api_check_limits(o.context, o.threads, o.seconds, err))
        return KILN_BAD_ARGUMENT;
    r = api_report(o.context);
    t = api_alloc(sizeof *t, &r);
    if (t && start(t, model, &o, &r))
        *out = t;
    else
        kiln_training_free(t);
    return api_end(&r, *out, err);
}

void kiln_training_free(kiln_training *training)
{
    if (!training)
        return;
    training_info_free(training->training);
    context_release(training->context);
    api_free(training);
}

/* -- what there is -- */

size_t kiln_training_input_count(const kiln_training *training)
{
    return training ? training->training->inputs : 0;
}

const kiln_value_info *kiln_training_input(const kiln_training *training, size_t k)
{
    return k < kiln_training_input_count(training) ? &training->inputs[k] : NULL;
}

int64_t kiln_training_steps(const kiln_training *training)
{
    return training ? training->training->steps : 0;
}

size_t kiln_training_result_count(const kiln_training *training)
{
    return training ? training->training->results : 0;
}

const char *kiln_training_result_name(const kiln_training *training, size_t k)
{
    return k < kiln_training_result_count(training) ? training->training->result[k].name : NULL;
}

const kiln_tensor *kiln_training_result(const kiln_training *training, size_t k)
{
    return k < kiln_training_result_count(training) && training->ran
               ? (const kiln_tensor *)training_info_result(training->training, k)
               : NULL;
}

size_t kiln_training_state_count(const kiln_training *training)
{
    return training ? training->training->updated : 0;
}

const char *kiln_training_state_name(const kiln_training *training, size_t k)
{
    return k < kiln_training_state_count(training) ? training->training->state[k].name : NULL;
}

const kiln_tensor *kiln_training_state(const kiln_training *training, size_t k)
{
    return k < kiln_training_state_count(training) ? (const kiln_tensor *)&training->training->state[k].value : NULL;
}

kiln_status kiln_training_get(kiln_tensor **out, const kiln_training *training, const char *name, kiln_error *err)
{
    const struct info_state *s;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!training || !name)
        return api_refuse(err, "%s is NULL", training ? "name" : "training");
    s = training_info_find(training->training, name);
    if (!s)
        return api_refuse(err, "the training assigns to nothing that is called '%s'", name);
    return kiln_tensor_copy(out, (const kiln_tensor *)&s->value, err);
}

/* -- what is done -- */

kiln_status kiln_training_initialize(kiln_training *training, kiln_error *err)
{
    struct report r = api_report(training ? training->context : NULL);

    if (!training)
        return api_refuse(err, "training is NULL");
    training->ran = false;
    return api_end(&r, training_info_initialize(training->training, &r), err);
}

kiln_status kiln_training_step(kiln_training *training, const kiln_tensor *const *inputs, kiln_error *err)
{
    struct report r = api_report(training ? training->context : NULL);

    if (!training || (!inputs && training->training->inputs))
        return api_refuse(err, "%s is NULL", training ? "inputs" : "training");
    for (size_t k = 0; k < training->training->inputs; k++) {
        if (!inputs[k])
            return api_refuse(err, "inputs[%zu] is NULL, must be '%s'", k, training->inputs[k].name);
        training->x[k] = inputs[k]->tensor;
    }
    training->ran = training_info_step(training->training, training->x, &r);
    return api_end(&r, training->ran, err);
}

kiln_status kiln_training_export(kiln_model **out, const kiln_training *training, kiln_error *err)
{
    struct report r = api_report(training ? training->context : NULL);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!training)
        return api_refuse(err, "training is NULL");
    return api_end_model(out, training_info_export(training->training, &r), training->context, false, &r, err);
}

/* -- epochs -- */

static bool on_start(void *user, int64_t epochs, int64_t steps, struct report *r)
{
    const kiln_fit_options *o = user;

    (void)r;
    return o->start(o->user, epochs, steps);
}

static bool on_step(void *user, const struct fit_step *s, struct report *r)
{
    const kiln_fit_options *o = user;
    const kiln_fit_step step = { s->step, s->epoch, s->done, s->of, (double)s->loss, s->so_far };

    (void)r;
    return o->step(o->user, &step);
}

static bool on_epoch(void *user, const struct epoch *e, struct report *r)
{
    const kiln_fit_options *o = user;
    const kiln_epoch epoch = { e->number, e->train, e->validation, e->seconds, e->best, e->learning_rate };

    (void)r;
    return o->epoch(o->user, &epoch);
}

/* What a training by the file has no place for. */
static const char *unusable(const kiln_fit_options *o)
{
    return o->validation                               ? "validation"
           : o->best                                   ? "best"
           : o->early_stop                             ? "early_stop"
           : o->initial_epoch                          ? "initial_epoch"
           : o->validation_freq || o->validation_steps ? "validation_freq or validation_steps"
           : o->restore_best                           ? "restore_best"
           : o->checkpoint || o->resume                ? "checkpoint or resume"
           : o->reduce_on_plateau                      ? "reduce_on_plateau"
                                                       : NULL;
}

kiln_status kiln_training_fit(kiln_training *training, const kiln_dataset *data, const kiln_fit_options *options,
                              int64_t *ran, kiln_error *err)
{
    struct report r = api_report(training ? training->context : NULL);
    struct fit_options to = { 0 };
    struct fit_events events;
    kiln_fit_options o;
    int64_t epochs = 0;
    bool ok;

    if (ran)
        *ran = 0;
    if (!training || !data)
        return api_refuse(err, "%s is NULL", training ? "data" : "training");
    if (!api_options(&o, sizeof o, options, "KILN_FIT_OPTIONS_INIT", err))
        return KILN_BAD_ARGUMENT;
    if (unusable(&o))
        return api_refuse(err, "%s says nothing to a training as the file says it", unusable(&o));
    if (o.batch < 0 || o.epochs < 0 || o.steps_per_epoch < 0)
        return api_refuse(err, "batch is %lld, epochs %lld and steps_per_epoch %lld, must not be negative",
                          (long long)o.batch, (long long)o.epochs, (long long)o.steps_per_epoch);
    to.batch = o.batch ? o.batch : DEFAULT_BATCH;
    to.epochs = o.epochs ? o.epochs : 1;
    to.steps_per_epoch = o.steps_per_epoch;
    to.shuffle = !o.in_order;
    to.seed = o.seed;
    to.augmentation = api_augmentation(data);
    events = (struct fit_events){ .user = &o,
                                  .start = o.start ? on_start : NULL,
                                  .step = o.step ? on_step : NULL,
                                  .epoch = o.epoch ? on_epoch : NULL };
    training->ran = false;
    ok = training_info_fit(training->training, &data->data, api_normalizer(data), &to, &events, &epochs, &r);
    if (ran)
        *ran = epochs;
    return api_end(&r, ok, err);
}
