#include "api.h"
#include "base/spec.h"
#include "train/trainer.h"

struct kiln_trainer {
    struct trainer *trainer;
    kiln_context *context;
    kiln_parameter *parameters; /* memory of the trainer's arena */
};

static bool describe_parameters(kiln_trainer *to, struct report *r)
{
    struct trainer *t = to->trainer;

    to->parameters = arena_array(&t->arena, t->parameters.count, sizeof *to->parameters, r);
    for (size_t k = 0; to->parameters && k < t->parameters.count; k++) {
        const struct parameter *p = &t->parameters.at[k];

        to->parameters[k] = (kiln_parameter){ .name = p->value->name,
                                              .role = (kiln_role)p->role,
                                              .why = p->why,
                                              .rank = p->initial.rank,
                                              .dims = p->initial.dims };
    }
    for (size_t s = 0; to->parameters && s < t->state_count; s++)
        to->parameters[t->states[s].parameter - t->parameters.at].data = t->states[s].value.data;
    return to->parameters;
}

static bool check_freeze(const kiln_trainer_options *o, kiln_error *err)
{
    if (o->freeze_count && !o->freeze) {
        api_refuse(err, "freeze is NULL, must hold %zu patterns", o->freeze_count);
        return false;
    }
    for (size_t k = 0; k < o->freeze_count; k++)
        if (!o->freeze[k]) {
            api_refuse(err, "freeze[%zu] is NULL", k);
            return false;
        }
    return true;
}

static bool start(kiln_trainer *t, const kiln_model *model, const kiln_trainer_options *o, struct report *r)
{
    const struct trainer_options to = { .loss = o->loss,
                                        .optimizer = o->optimizer,
                                        .targets = o->values ? TARGETS_VALUES : TARGETS_CLASSES,
                                        .x = o->sample ? &o->sample->tensor : NULL,
                                        .threads = o->threads,
                                        .exact = o->exact,
                                        .memory = o->memory,
                                        .seconds = o->seconds,
                                        .total = context_total(o->context),
                                        .pool = o->context ? o->context->pool : NULL,
                                        .seed = o->seed,
                                        .freezes = o->freeze_count,
                                        .freeze = o->freeze,
                                        .untie = o->untie };

    t->context = context_hold(o->context);
    t->trainer = trainer_new(model->model, &to, r);
    return t->trainer && describe_parameters(t, r);
}

kiln_status kiln_trainer_new(kiln_trainer **out, const kiln_model *model, const kiln_trainer_options *options,
                             kiln_error *err)
{
    kiln_trainer_options o;
    kiln_status usable;
    struct report r;
    kiln_trainer *t;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    if (!api_options(&o, sizeof o, options, "KILN_TRAINER_OPTIONS_INIT", err) ||
        !api_check_limits(o.context, o.threads, o.seconds, err) || !check_freeze(&o, err))
        return KILN_BAD_ARGUMENT;
    r = (struct report){ .notify = o.diagnostic, .user = o.user };
    t = api_alloc(sizeof *t, &r);
    if (t && start(t, model, &o, &r))
        *out = t;
    else
        kiln_trainer_free(t);
    return api_end(&r, *out, err);
}

void kiln_trainer_free(kiln_trainer *trainer)
{
    if (!trainer)
        return;
    trainer_free(trainer->trainer);
    context_release(trainer->context);
    api_free(trainer);
}

static kiln_status run(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y, kiln_score *score, bool learn,
                       kiln_error *err)
{
    struct report r = { 0 };
    struct step_result got;
    bool ok;

    if (score)
        *score = (kiln_score){ 0 };
    if (!trainer || !x || !y)
        return api_refuse(err, "%s is NULL", !trainer ? "trainer" : x ? "y" : "x");
    ok = (learn ? trainer_step : trainer_evaluate_batch)(trainer->trainer, &x->tensor, &y->tensor, &got, &r);
    if (ok && score)
        *score = (kiln_score){ (double)got.loss, (int64_t)got.metric[METRIC_accuracy], got.rows };
    return api_end(&r, ok, err);
}

kiln_status kiln_trainer_step(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y, kiln_score *score,
                              kiln_error *err)
{
    return run(trainer, x, y, score, true, err);
}

kiln_status kiln_trainer_score(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y, kiln_score *score,
                               kiln_error *err)
{
    return run(trainer, x, y, score, false, err);
}

kiln_status kiln_trainer_set_learning_rate(kiln_trainer *trainer, double rate, kiln_error *err)
{
    const struct report r = { 0 };

    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    if (!(rate >= 0 && rate <= MOST_RATE) || !fits_float(rate))
        return api_refuse(err, "the learning rate is %g, must be 0, or a float of at most %g", rate, MOST_RATE);
    trainer->trainer->learning_rate = rate;
    return api_end(&r, true, err);
}

kiln_status kiln_trainer_export(kiln_model **out, const kiln_trainer *trainer, kiln_error *err)
{
    struct report r = { 0 };

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    return api_end_model(out, trainer_export(trainer->trainer, &r), trainer->context, false, &r, err);
}

/* -- looking -- */

const char *kiln_trainer_loss(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->loss.said : NULL;
}

size_t kiln_trainer_parameter_count(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->parameters.count : 0;
}

const kiln_parameter *kiln_trainer_parameter(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_parameter_count(trainer) ? &trainer->parameters[k] : NULL;
}
