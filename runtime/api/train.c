#include "api/api.h"
#include "api/data.h"
#include "base/spec.h"
#include "data/batch.h"
#include "plan/describe.h"
#include "run/profile.h"
#include "train/checkpoint.h"
#include "train/confusion.h"
#include "train/feed.h"
#include "train/measure.h"
#include "train/step_file.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct kiln_trainer {
    struct trainer *trainer;
    kiln_context *context;
    kiln_parameter *parameters;       /* memory of the trainer's arena */
    kiln_value_info *inputs, *labels; /* by input, by target */
    struct tensor *x, *y;             /* a batch */
    bool scored;                      /* there is what a step or a score gave */
    bool predicted;                   /* the latest call was kiln_trainer_predict: there are outputs */
};

struct trainer *api_begin_call(kiln_trainer *trainer)
{
    trainer->predicted = trainer->scored = false;
    return trainer->trainer;
}

kiln_context *api_trainer_context(const kiln_trainer *trainer)
{
    return trainer->context;
}

kiln_parameter api_parameter(const struct parameter *p)
{
    return (kiln_parameter){ .name = p->value->name,
                             .role = (kiln_role)p->role,
                             .why = p->why,
                             .node = p->reader && *p->reader->name ? p->reader->name : NULL,
                             .elements = parameter_elements(p),
                             .readers = p->readers,
                             .dtype = (kiln_dtype)p->initial.dtype,
                             .rank = p->initial.rank,
                             .dims = p->initial.dims };
}

static kiln_value_info describe_batch(const char *name, const struct tensor *type)
{
    return (kiln_value_info){ .name = name, .dtype = (kiln_dtype)type->dtype, .rank = type->rank, .dims = type->dims };
}

static bool describe_trainer(kiln_trainer *to, struct report *r)
{
    struct trainer *t = to->trainer;

    to->inputs = arena_array(&t->arena, t->inputs, sizeof *to->inputs, r);
    to->labels = arena_array(&t->arena, t->target_count, sizeof *to->labels, r);
    to->x = arena_array(&t->arena, t->inputs, sizeof *to->x, r);
    to->y = arena_array(&t->arena, t->target_count, sizeof *to->y, r);
    if (!to->inputs || !to->labels || !to->x || !to->y)
        return false;
    for (size_t k = 0; k < t->inputs; k++)
        to->inputs[k] = describe_batch(t->model->graph->inputs[k]->name, &t->x[k]);
    for (size_t k = 0; k < t->target_count; k++)
        to->labels[k] = describe_batch(t->targets[k].output->name, &t->targets[k].y);
    to->parameters = arena_array(&t->arena, t->parameters.count, sizeof *to->parameters, r);
    for (size_t k = 0; to->parameters && k < t->parameters.count; k++)
        to->parameters[k] = api_parameter(&t->parameters.at[k]);
    for (size_t s = 0; to->parameters && s < t->state_count; s++)
        if (t->states[s].value.dtype == F32)
            to->parameters[t->states[s].parameter - t->parameters.at].data = t->states[s].value.data;
    return to->parameters;
}

/* -- life -- */

struct trainer_options api_trainer_options(const kiln_trainer_options *o)
{
    return (struct trainer_options){ .optimizer = o->optimizer,
                                     .threads = o->threads,
                                     .exact = o->exact,
                                     .memory = o->memory,
                                     .seconds = o->seconds,
                                     .total = context_total(o->context),
                                     .pool = o->context ? o->context->pool : NULL,
                                     .seed = o->seed,
                                     .patterns = { o->train_count, o->freeze_count, o->train, o->freeze,
                                                   o->exclude_from_weight_decay_count, o->exclude_from_weight_decay },
                                     .untie = o->untie,
                                     .keep_gradients = o->keep_gradients,
                                     .recompute = o->recompute,
                                     .bptt = o->bptt,
                                     .measure = o->measure,
                                     .remember = o->remember,
                                     .schedule = o->schedule,
                                     .regularizers = o->regularizer_count,
                                     .rate_factors = o->rate_factor_count,
                                     .metrics = o->metrics,
                                     .metric_count = o->metric_count,
                                     .weighted = o->weighted || (o->data && dataset_is_weighted(&o->data->data)) };
}

static bool start(kiln_trainer *t, const kiln_model *model, const kiln_trainer_options *o, struct report *r)
{
    struct trainer_options to = api_trainer_options(o);
    struct budget b = { .limit = o->memory, .total = to.total };
    struct arena scratch = { .budget = &b };

    t->context = context_hold(o->context);
    if (api_training_options(&to, o, model->model, &scratch, r))
        t->trainer = trainer_new(model->model, &to, r);
    arena_release(&scratch);
    return t->trainer && (!o->data || feed_fits(t->trainer, &o->data->data, r)) && describe_trainer(t, r) &&
           (!o->profile || profile_switch(&t->trainer->engine.profile, true, &t->trainer->budget, r));
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
        !api_check_limits(o.context, o.threads, o.seconds, err) || !api_check_training(&o, err))
        return KILN_BAD_ARGUMENT;
    r = api_report_to(o.context, o.diagnostic, o.user);
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

/* -- steps -- */

static bool take_batch(struct tensor *to, const kiln_tensor *const *from, size_t count, const char *what,
                       kiln_error *err)
{
    for (size_t k = 0; k < count; k++) {
        if (!from)
            api_refuse(err, "%s is NULL", what);
        else if (!from[k])
            api_refuse(err, "%s[%zu] is NULL", what, k);
        if (!from || !from[k])
            return false;
        to[k] = from[k]->tensor;
    }
    return true;
}

static kiln_score score_of(const struct target_result *t)
{
    return (kiln_score){ (double)t->loss, (int64_t)t->metric[0], t->rows };
}

static kiln_status run(kiln_trainer *trainer, const kiln_tensor *const *x, const kiln_tensor *const *y,
                       kiln_score *score, bool learn, kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);
    struct trainer *t;
    float loss;
    bool ok;

    if (score)
        *score = (kiln_score){ 0 };
    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    t = api_begin_call(trainer);
    if (!take_batch(trainer->x, x, t->inputs, "x", err) || !take_batch(trainer->y, y, t->target_count, "y", err))
        return KILN_BAD_ARGUMENT;
    ok = trainer->scored = (learn ? trainer_step : trainer_evaluate_batch)(t, trainer->x, trainer->y, &loss, &r);
    if (ok && score) {
        *score = score_of(t->result);
        score->loss = (double)loss;
    }
    return api_end(&r, ok, err);
}

kiln_status kiln_trainer_step_weighted(kiln_trainer *trainer, bool learn, const kiln_tensor *const *x,
                                       const kiln_tensor *const *y, const kiln_tensor *weights, kiln_score *score,
                                       kiln_error *err)
{
    kiln_status status;

    if (trainer && !trainer->trainer->weighted)
        return api_refuse(err, "the trainer was made without options.weighted, and takes no weights");
    if (weights && (weights->tensor.kind != TENSOR || weights->tensor.dtype != F32))
        return api_refuse(err, "weights are no floats");
    if (trainer && weights)
        trainer->trainer->weights = weights->tensor;
    status = run(trainer, x, y, score, learn, err);
    if (trainer)
        trainer->trainer->weights = (struct tensor){ 0 };
    return status;
}

/* Is it a trainer of one input and one target? */
static bool is_simple(const kiln_trainer *t, const char *all, kiln_error *err)
{
    if (!t || (t->trainer->inputs == 1 && t->trainer->target_count == 1))
        return true;
    api_refuse(err, "the trainer has %zu inputs and %zu targets, which %s takes", t->trainer->inputs,
               t->trainer->target_count, all);
    return false;
}

kiln_status kiln_trainer_step_all(kiln_trainer *trainer, const kiln_tensor *const *x, const kiln_tensor *const *y,
                                  kiln_score *score, kiln_error *err)
{
    return run(trainer, x, y, score, true, err);
}

kiln_status kiln_trainer_score_all(kiln_trainer *trainer, const kiln_tensor *const *x, const kiln_tensor *const *y,
                                   kiln_score *score, kiln_error *err)
{
    return run(trainer, x, y, score, false, err);
}

kiln_status kiln_trainer_step(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y, kiln_score *score,
                              kiln_error *err)
{
    return is_simple(trainer, "kiln_trainer_step_all", err)
               ? run(trainer, x ? &x : NULL, y ? &y : NULL, score, true, err)
               : KILN_BAD_ARGUMENT;
}

kiln_status kiln_trainer_score(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y, kiln_score *score,
                               kiln_error *err)
{
    return is_simple(trainer, "kiln_trainer_score_all", err)
               ? run(trainer, x ? &x : NULL, y ? &y : NULL, score, false, err)
               : KILN_BAD_ARGUMENT;
}

bool kiln_trainer_target_score(const kiln_trainer *trainer, size_t k, kiln_score *score)
{
    const bool there = trainer && trainer->scored && k < trainer->trainer->target_count;

    if (score)
        *score = there ? score_of(&trainer->trainer->result[k]) : (kiln_score){ 0 };
    return there;
}

kiln_status kiln_trainer_predict_all(kiln_trainer *trainer, const kiln_tensor *const *x, kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);

    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    trainer->predicted = false;
    if (!take_batch(trainer->x, x, trainer->trainer->inputs, "x", err))
        return KILN_BAD_ARGUMENT;
    trainer->predicted = trainer_predict(trainer->trainer, trainer->x, &r);
    return api_end(&r, trainer->predicted, err);
}

kiln_status kiln_trainer_predict(kiln_trainer *trainer, const kiln_tensor *x, kiln_error *err)
{
    if (trainer && trainer->trainer->inputs > 1)
        return api_refuse(err, "the trainer has %zu inputs, which kiln_trainer_predict_all takes",
                          trainer->trainer->inputs);
    return kiln_trainer_predict_all(trainer, x ? &x : NULL, err);
}

const kiln_tensor *kiln_trainer_output(const kiln_trainer *trainer, size_t k)
{
    if (!trainer || !trainer->predicted || k >= trainer->trainer->model->graph->output_count)
        return NULL;
    return (const kiln_tensor *)trainer_output(trainer->trainer, k);
}

kiln_status kiln_trainer_set_learning_rate(kiln_trainer *trainer, double rate, kiln_error *err)
{
    const struct report r = { 0 };

    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    if (!(rate >= 0 && rate <= MOST_RATE) || !fits_float(rate))
        return api_refuse(err, "the learning rate is %g, must be 0, or a float of at most %g", rate, MOST_RATE);
    if (trainer->trainer->schedule.def)
        return api_refuse(err, "the learning rate is that of schedule '%s', it cannot be set",
                          trainer->trainer->schedule.def->row.name);
    trainer->trainer->learning_rate = rate;
    return api_end(&r, true, err);
}

kiln_status kiln_trainer_finalize(kiln_trainer *trainer, kiln_error *err)
{
    const struct report r = { 0 };

    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    trainer_finalize(trainer->trainer);
    return api_end(&r, true, err);
}

double kiln_trainer_learning_rate(const kiln_trainer *trainer)
{
    return trainer ? trainer_learning_rate(trainer->trainer) : (double)NAN;
}

/* -- what parameters have -- */

/* What `what` may be, for a message. */
static bool refuse_what(const struct trainer *t, const char *parameter, const char *what, struct report *r)
{
    char names[256] = "value";
    size_t n = strlen(names);

    for (int k = 0; k < t->optimizer.slots && n < sizeof names; k++)
        n += (size_t)snprintf(names + n, sizeof names - n, ", %s", t->optimizer.slot_names[k]);
    return fail(r, KILN_BAD_ARGUMENT, NULL, "parameter '%s' has no '%s', it has %s%s", parameter, what, names,
                t->keep_gradients ? ", gradient" : "; a gradient with options.keep_gradients");
}

/* The tensor that is asked for; NULL with an error. */
static const struct tensor *find(const kiln_trainer *trainer, const char *parameter, const char *what, struct report *r)
{
    struct trainer *t = trainer->trainer;
    const bool value = !what || strcmp(what, "value") == 0, gradient = what && strcmp(what, "gradient") == 0;
    const struct tensor *found;

    if (!trainer_state(t, parameter, NULL)) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "the model has no parameter or statistic '%s'", parameter);
        return NULL;
    }
    found = gradient ? trainer_gradient(t, parameter) : trainer_state(t, parameter, value ? NULL : what);
    if (found)
        return found;
    if (gradient && t->keep_gradients)
        fail(r, KILN_BAD_ARGUMENT, NULL, "parameter '%s' has no gradient: it does not train, or there was no step yet",
             parameter);
    else
        refuse_what(t, parameter, what, r);
    return NULL;
}

kiln_status kiln_trainer_get(kiln_tensor **out, kiln_trainer *trainer, const char *parameter, const char *what,
                             kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);
    const struct tensor *found;
    kiln_tensor *made = NULL;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer || !parameter)
        return api_refuse(err, "%s is NULL", trainer ? "parameter" : "trainer");
    found = find(trainer, parameter, what, &r);
    if (!found)
        return api_end(&r, false, err);
    if (kiln_tensor_copy(&made, (const kiln_tensor *)found, err) == KILN_OK)
        *out = made;
    return made ? KILN_OK : KILN_NO_MEMORY;
}

kiln_status kiln_trainer_set(kiln_trainer *trainer, const char *parameter, const char *what, const kiln_tensor *tensor,
                             kiln_error *err)
{
    char got[TYPE_TEXT], need[TYPE_TEXT];
    struct report r = api_report(trainer ? trainer->context : NULL);
    const struct tensor *to;

    if (!trainer || !parameter || !tensor)
        return api_refuse(err, "%s is NULL", !trainer ? "trainer" : parameter ? "tensor" : "parameter");
    if (what && strcmp(what, "gradient") == 0)
        return api_refuse(err, "a gradient cannot be set");
    to = find(trainer, parameter, what, &r);
    if (!to)
        return api_end(&r, false, err);
    if (!same_type(to, &tensor->tensor))
        return api_refuse(err, "parameter '%s' is %s, the tensor %s", parameter, tensor_text(to, need),
                          tensor_text(&tensor->tensor, got));
    if (tensor_bytes(to))
        memcpy(to->data, tensor->tensor.data, (size_t)tensor_bytes(to));
    return api_end(&r, true, err);
}

/* -- what was learned -- */

/* A model that was made of the trainer, if it was. */
static kiln_status end_made(kiln_model **out, kiln_trainer *trainer, struct model *made, struct report *r,
                            kiln_error *err)
{
    return api_end_model(out, made, trainer->context, false, r, err);
}

kiln_status kiln_trainer_lower(kiln_model **out, kiln_trainer *trainer, int64_t batch, kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer || batch < 0)
        return api_refuse(err, trainer ? "batch is below 0" : "trainer is NULL");
    return end_made(out, trainer, trainer_step_model(trainer->trainer, batch, &r), &r, err);
}

kiln_status kiln_trainer_describe(kiln_model **out, kiln_trainer *trainer, kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    return end_made(out, trainer, trainer_described(trainer->trainer, &r), &r, err);
}

kiln_status kiln_trainer_export(kiln_model **out, const kiln_trainer *trainer, kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    return api_end_model(out, trainer_export(trainer->trainer, &r), trainer->context, false, &r, err);
}

kiln_status kiln_trainer_save(kiln_trainer *trainer, const char *path, kiln_form form, kiln_error *err)
{
    struct report r;

    if (!trainer || !path)
        return api_refuse(err, "%s is NULL", trainer ? "path" : "trainer");
    if (form != KILN_FORM_BY_NAME && form != KILN_FORM_BINARY && form != KILN_FORM_TEXT)
        return api_refuse(err, "form %d is none that a model is saved in", (int)form);
    r = api_report(trainer->context);
    return api_end(&r, trainer_save(trainer->trainer, path, api_form_is_text(form, path), &r), err);
}

/* -- checkpoints -- */

kiln_status kiln_trainer_save_state(kiln_trainer *trainer, const char *path, kiln_error *err)
{
    struct report r;

    if (!trainer || !path)
        return api_refuse(err, "%s is NULL", trainer ? "path" : "trainer");
    r = api_report(trainer->context);
    return api_end(&r, checkpoint_save(path, trainer->trainer, &(struct checkpoint){ 0 }, &r), err);
}

kiln_status kiln_trainer_load_state(kiln_trainer *trainer, const char *path, kiln_error *err)
{
    struct report r;

    if (!trainer || !path)
        return api_refuse(err, "%s is NULL", trainer ? "path" : "trainer");
    r = api_report(trainer->context);
    return api_end(&r, checkpoint_load(path, api_begin_call(trainer), &(struct checkpoint){ 0 }, &r), err);
}

int64_t kiln_trainer_steps(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->steps : 0;
}

/* -- looking -- */

const char *kiln_role_name(kiln_role role)
{
    return role >= KILN_TRAINABLE && role <= KILN_CONSTANT ? role_name((enum role)role) : "";
}

int64_t kiln_trainer_batch(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->batch : 0;
}

const char *kiln_trainer_optimizer(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->optimizer.def->row.name : NULL;
}

size_t kiln_trainer_input_count(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->inputs : 0;
}

const kiln_value_info *kiln_trainer_input(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_input_count(trainer) ? &trainer->inputs[k] : NULL;
}

size_t kiln_trainer_target_count(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->target_count : 0;
}

const kiln_value_info *kiln_trainer_labels(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_target_count(trainer) ? &trainer->labels[k] : NULL;
}

int64_t kiln_trainer_classes(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_target_count(trainer) ? confusion_classes(trainer->trainer, k) : 0;
}

double kiln_trainer_weight(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_target_count(trainer) ? trainer->trainer->targets[k].loss.weight : 0;
}

size_t kiln_trainer_measure_count(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->measure_count : 0;
}

const char *kiln_trainer_measure_name(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_measure_count(trainer) ? trainer->trainer->measures[k].name : NULL;
}

bool kiln_trainer_measures(const kiln_trainer *trainer, const kiln_dataset *data, size_t k)
{
    return data && k < kiln_trainer_measure_count(trainer) && measure_applies(trainer->trainer, &data->data, k);
}

size_t kiln_trainer_memory(const kiln_trainer *trainer, size_t *most)
{
    if (most)
        *most = trainer ? trainer->trainer->budget.peak : 0;
    return trainer ? trainer->trainer->budget.used : 0;
}

kiln_status kiln_trainer_plan(kiln_trainer *trainer, int64_t batch, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;
    const struct program *p;

    if (!trainer || !write)
        return api_refuse(err, "%s is NULL", trainer ? "write" : "trainer");
    if (batch < 1 || batch > INT32_MAX)
        return api_refuse(err, "batch is %lld, must be 1 to %d", (long long)batch, INT32_MAX);
    trainer->predicted = false;
    api_write_begin(&w, &trainer->trainer->budget, trainer->context);
    p = trainer_plan(trainer->trainer, batch, &w.report);
    if (p && trainer->trainer->sizes)
        text_printf(&w.text, "sizes that only running tells are as if every input were 1\n");
    if (p)
        program_describe(&w.text, p);
    return api_write_end(&w, p, write, user, err);
}

kiln_status kiln_trainer_set_profile(kiln_trainer *trainer, bool on, kiln_error *err)
{
    struct report r = api_report(trainer ? trainer->context : NULL);

    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    return api_end(&r, profile_switch(&trainer->trainer->engine.profile, on, &trainer->trainer->budget, &r), err);
}

kiln_status kiln_trainer_trace(const kiln_trainer *trainer, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;

    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    api_write_begin(&w, &trainer->trainer->budget, trainer->context);
    return api_trace(trainer->trainer->engine.profile, &w, write, user, err);
}

kiln_status kiln_trainer_times(const kiln_trainer *trainer, bool by_node, kiln_time_fn each, void *user,
                               kiln_error *err)
{
    if (!trainer)
        return api_refuse(err, "trainer is NULL");
    return api_times(trainer->trainer->engine.profile, by_node, each, user, err);
}

const char *kiln_trainer_loss(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_target_count(trainer) ? trainer->trainer->targets[k].loss.said : NULL;
}

size_t kiln_trainer_parameter_count(const kiln_trainer *trainer)
{
    return trainer ? trainer->trainer->parameters.count : 0;
}

const kiln_parameter *kiln_trainer_parameter(const kiln_trainer *trainer, size_t k)
{
    return k < kiln_trainer_parameter_count(trainer) ? &trainer->parameters[k] : NULL;
}
