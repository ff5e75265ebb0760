#include "api.h"
#include "base/spec.h"
#include "model/model.h"
#include "train/initialise.h"
#include "train/trainer.h"

/* A kiln_trainer is a struct trainer. */
static struct trainer *inner(const kiln_trainer *t)
{
    return (struct trainer *)(uintptr_t)t;
}

kiln_status kiln_trainer_new(kiln_trainer **out, const kiln_model *model, const kiln_trainer_options *options,
                             kiln_error *err)
{
    const kiln_trainer_options defaults = KILN_TRAINER_OPTIONS_INIT, *const o = options ? options : &defaults;
    struct report r = { .notify = o->diagnostic, .user = o->user };
    struct trainer_options to;
    struct trainer *t;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!model)
        return api_refuse(err, "model is NULL");
    if (o->threads < 0)
        return api_refuse(err, "threads is %d, must be at least 0", o->threads);
    if (!(o->seconds >= 0))
        return api_refuse(err, "seconds is %g, must be at least 0", o->seconds);
    if (o->freeze_count && !o->freeze)
        return api_refuse(err, "freeze is NULL, must hold %zu patterns", o->freeze_count);
    for (size_t k = 0; k < o->freeze_count; k++)
        if (!o->freeze[k])
            return api_refuse(err, "freeze[%zu] is NULL", k);
    to = (struct trainer_options){ .loss = o->loss,
                                   .optimizer = o->optimizer,
                                   .targets = o->values ? TARGETS_VALUES : TARGETS_CLASSES,
                                   .x = o->sample ? &o->sample->tensor : NULL,
                                   .threads = o->threads,
                                   .exact = o->exact,
                                   .memory = o->memory,
                                   .seconds = o->seconds,
                                   .seed = o->seed,
                                   .freezes = o->freeze_count,
                                   .freeze = o->freeze,
                                   .untie = o->untie };
    t = trainer_new(api_model(model), &to, &r);
    *out = (kiln_trainer *)(void *)t;
    return api_end(&r, t, err);
}

void kiln_trainer_free(kiln_trainer *trainer)
{
    trainer_free(inner(trainer));
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
    ok = (learn ? trainer_step : trainer_evaluate_batch)(inner(trainer), &x->tensor, &y->tensor, &got, &r);
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
    inner(trainer)->learning_rate = rate;
    return api_end(&r, true, err);
}

static kiln_status end_model(kiln_model **out, struct model *m, struct report *r, kiln_error *err)
{
    const bool ok = m && model_build(m, r);

    if (ok)
        *out = (kiln_model *)(void *)m;
    else
        model_free(m);
    return api_end(r, ok, err);
}

kiln_status kiln_trainer_export(kiln_model **out, const kiln_trainer *trainer, kiln_error *err)
{
    struct report r = { 0 };

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    return end_model(out, trainer_export(inner(trainer), &r), &r, err);
}

kiln_status kiln_model_initialize(kiln_model **out, const kiln_model *model, uint64_t seed, bool again, size_t *count,
                                  kiln_error *err)
{
    const struct initialise_options o = { .seed = seed, .again = again };
    struct report r = { 0 };
    struct model *m;
    size_t drawn = 0;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!model)
        return api_refuse(err, "model is NULL");
    m = model_initialise(api_model(model), &o, &drawn, &r);
    if (count)
        *count = drawn;
    return end_model(out, m, &r, err);
}

/* -- looking -- */

const char *kiln_trainer_loss(const kiln_trainer *trainer)
{
    return trainer ? inner(trainer)->loss.said : NULL;
}

size_t kiln_trainer_parameter_count(const kiln_trainer *trainer)
{
    return trainer ? inner(trainer)->parameters.count : 0;
}

kiln_status kiln_trainer_parameter(const kiln_trainer *trainer, size_t k, kiln_parameter *out)
{
    const struct trainer *t = inner(trainer);
    const struct parameter *p;

    if (!out)
        return KILN_BAD_ARGUMENT;
    *out = (kiln_parameter){ 0 };
    if (!t || k >= t->parameters.count)
        return KILN_BAD_ARGUMENT;
    p = &t->parameters.at[k];
    *out = (kiln_parameter){ .name = p->value->name,
                             .role = (kiln_role)p->role,
                             .why = p->why,
                             .rank = p->initial.rank,
                             .dims = p->initial.dims };
    for (size_t s = 0; s < t->state_count; s++)
        if (t->states[s].parameter == p)
            out->data = t->states[s].value.data;
    return KILN_OK;
}
