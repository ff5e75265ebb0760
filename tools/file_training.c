#include "file_training.h"
#include "bar.h"
#include "stop.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct file_training {
    const struct train_options *o;
    struct learn *learn;
    struct command *c; /* the learn's */
    kiln_training *training;
    FILE *steps;
    bool bar, failed; /* failed: a callback's error is in the command */
    struct bar drawn;
    int64_t epoch; /* that were complete */
};

bool file_trains_itself(const kiln_model *m, const struct train_options *o)
{
    return kiln_model_training_count(m) && !o->learn.loss_count && !o->learn.trainer.optimizer;
}

/* The option that such a training has no place for; NULL. */
static const char *unusable(const struct train_options *o)
{
    const struct learn_options *l = &o->learn;
    const kiln_trainer_options *t = &l->trainer;
    const kiln_fit_options *f = &o->fit;
    const struct {
        bool given;
        const char *name;
    } options[] = {
        { l->validation, "validation" },
        { l->split > 0, "validation-split" },
        { l->bake, "bake" }, /* the algorithm would not see it */
        { l->weight_count, "loss-weight" },
        { l->output_count, "train-output" },
        { l->metric_count, "metric" },
        { t->class_axis, "class-axis" },
        { t->class_weight, "class-weight" },
        { t->train_count, "trainable" },
        { t->freeze_count, "freeze" },
        { t->untie, "untie" },
        { t->bptt, "bptt" },
        { t->regularizer_count, "regularize" },
        { t->rate_factor_count, "rate-factor" },
        { t->exclude_from_weight_decay_count, "exclude-from-weight-decay" },
        { t->schedule, "schedule" },
        { f->reduce_on_plateau, "reduce-on-plateau" },
        { f->initial_epoch, "initial-epoch" },
        { f->early_stop, "early-stop" },
        { f->best, "save-best" },
        { f->restore_best, "restore-best" },
        { o->checkpoint, "checkpoint" },
        { o->history, "history" },
        { o->figure, "figure" },
        { o->tensorboard, "tensorboard" },
        { o->profile, "profile" },
        { o->rate_to > 0, "find-learning-rate" },
    };

    for (size_t k = 0; k < sizeof options / sizeof *options; k++)
        if (options[k].given)
            return options[k].name;
    return NULL;
}

/* -- data -- */

/* What a step takes that is no input of the model is a label. */
static size_t labels_of(const struct file_training *t, kiln_target *to)
{
    const kiln_model *m = t->learn->model;
    size_t n = 0;

    for (size_t k = 0; k < kiln_training_input_count(t->training) && n < MOST_TARGETS; k++) {
        const char *name = kiln_training_input(t->training, k)->name;
        bool main = false;

        for (size_t i = 0; i < kiln_model_input_count(m); i++)
            main |= strcmp(kiln_model_input(m, i)->name, name) == 0;
        if (!main)
            to[n++].output = name;
    }
    return n;
}

static bool open_data(struct file_training *t)
{
    const struct learn_options *l = &t->o->learn;
    kiln_target targets[MOST_TARGETS] = { 0 };
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;

    d.context = t->c->context;
    d.limit = l->limit;
    d.label = l->label;
    d.shuffle_buffer = l->shuffle_buffer;
    d.seconds = limits_data_seconds(&l->limits, l->shuffle_buffer);
    d.targets = targets;
    d.target_count = labels_of(t, targets);
    return kiln_dataset_open(&t->learn->train, l->data, &d, &t->c->err) == KILN_OK;
}

/* -- what is told -- */

static void say_start(const struct file_training *t)
{
    const struct learn_options *l = &t->o->learn;
    const size_t results = kiln_training_result_count(t->training);

    say("model      %s: trained as its training_info says; --loss and --optimizer train it otherwise\n", l->model);
    say("data       %s: %lld samples", l->data, (long long)kiln_dataset_about(t->learn->train)->count);
    data_say_label(t->learn->train);
    say("\n");
    if (t->learn->normalized)
        data_say_normalization(t->learn->train, "normalize  ");
    say("step       takes");
    for (size_t k = 0; k < kiln_training_input_count(t->training); k++)
        say("%s '%s'", k ? "," : "", kiln_training_input(t->training, k)->name);
    for (size_t k = 0; k < results; k++)
        say("%s '%s'", k ? "," : "; tells", kiln_training_result_name(t->training, k));
    say("; batch %lld, %d threads\n", (long long)t->o->fit.batch, kiln_context_threads(t->c->context));
    fflush(stdout);
}

/* Of results that are single numbers. */
static void add_values(const struct file_training *t, struct page *to, const double *values)
{
    for (size_t k = 0; k < kiln_training_result_count(t->training); k++)
        if (values[k] == values[k])
            page_say(to, "  %s %.4f", kiln_training_result_name(t->training, k), values[k]);
}

static bool on_step(void *user, const kiln_fit_step *f)
{
    struct file_training *t = user;
    struct page measures = { 0 };

    t->c->teller.held = true;
    if (t->steps &&
        fprintf(t->steps, "%lld,%lld,%.9g\n", (long long)f->step, (long long)f->epoch, learn_number(f->loss)) < 0) {
        t->failed = true;
        return command_fail(t->c, KILN_IO, t->o->step_log, "cannot be written: %s", strerror(errno));
    }
    if (!t->bar)
        return true;
    add_values(t, &measures, f->so_far);
    bar_draw(&t->drawn, f, t->o->epochs, &measures);
    page_free(&measures);
    return true;
}

static bool on_epoch(void *user, const kiln_epoch *e)
{
    struct file_training *t = user;
    struct page measures = { 0 };

    t->epoch = e->number;
    if (t->o->quiet)
        return true;
    add_values(t, &measures, e->train);
    if (t->bar)
        bar_clear();
    printf("epoch %lld/%lld  %.2f s%s\n", (long long)e->number, (long long)t->o->epochs, e->seconds,
           measures.text ? measures.text : "");
    page_free(&measures);
    fflush(stdout);
    return true;
}

/* -- the work -- */

static bool train(struct file_training *t)
{
    kiln_fit_options fit = t->o->fit;
    kiln_error err;
    int64_t ran;

    if (!t->o->epochs)
        return true;
    fit.epochs = t->o->epochs;
    fit.step = on_step;
    fit.epoch = on_epoch;
    fit.user = t;
    if (kiln_training_fit(t->training, t->learn->train, &fit, &ran, &err) == KILN_OK)
        return true;
    if (!t->failed)
        t->c->err = err;
    return false;
}

static bool save(struct file_training *t)
{
    kiln_model *learned = NULL;
    const bool ok = kiln_training_export(&learned, t->training, &t->c->err) == KILN_OK &&
                    kiln_model_save(learned, t->o->output, KILN_FORM_BY_NAME, &t->c->err) == KILN_OK;

    kiln_model_free(learned);
    return ok;
}

static bool start_log(struct file_training *t)
{
    return !t->o->step_log ||
           (kiln_file_open_log(&t->steps, t->c->context, t->o->step_log, &t->c->err) == KILN_OK &&
            (fputs("step,epoch,loss\n", t->steps) >= 0 || command_fail_system(t->c, t->o->step_log)));
}

/* A step that fails changes nothing: what was learned before it is kept. */
static bool finish(struct file_training *t, bool ok, int signal)
{
    const kiln_error why = t->c->err;
    const long long steps = kiln_training_steps(t->training);
    bool saved;

    t->c->teller.held = false;
    if (t->steps && fclose(t->steps) && ok)
        return command_fail_system(t->c, t->o->step_log);
    if (!ok && !steps)
        return false;
    saved = save(t);
    if (ok && saved && !t->o->quiet)
        say("saved      %s\n", t->o->output);
    if (ok || !saved)
        return saved;
    if (signal)
        say_to(stderr, "kiln: stopped by %s after %lld epochs, %lld steps", stop_name(signal), (long long)t->epoch,
               steps);
    else
        say_to(stderr, "kiln: training ended after %lld epochs, %lld steps: %s%s%s", (long long)t->epoch, steps,
               why.where, *why.where ? ": " : "", why.message);
    say_to(stderr, "; %s holds the model after step %lld\n", t->o->output, steps);
    t->c->err = why;
    t->c->teller.told = 1;
    return signal;
}

static bool start(struct file_training *t)
{
    kiln_session_options s = KILN_SESSION_OPTIONS_INIT;

    s.context = t->c->context;
    s.seed = t->o->learn.trainer.seed;
    s.exact = t->o->learn.trainer.exact;
    s.seconds = t->o->learn.limits.seconds;
    return kiln_training_new(&t->training, t->learn->model, &s, &t->c->err) == KILN_OK;
}

/* What the data tell is written into the model, of which the training is then. */
static bool prepare(struct file_training *t)
{
    const kiln_model *before = t->learn->model;

    if (!start(t) || !open_data(t) || !learn_treat(t->learn, &t->o->learn))
        return false;
    if (t->learn->model == before)
        return true;
    kiln_training_free(t->training);
    t->training = NULL;
    return start(t);
}

static bool run(struct file_training *t, int *signal)
{
    bool ok;

    if (!prepare(t) || !start_log(t))
        return false;
    if (!t->o->quiet)
        say_start(t);
    stop_watch(t->c->context);
    ok = train(t);
    *signal = stop_caught();
    if (t->bar && !ok)
        putchar('\n');
    return finish(t, ok, *signal);
}

bool file_training_run(const struct train_options *o, struct learn *l, int *signal)
{
    struct file_training t = { .o = o, .learn = l, .c = &l->command, .bar = !o->quiet && isatty(STDOUT_FILENO) };
    bool ok;

    if (unusable(o))
        return command_fail(t.c, KILN_BAD_ARGUMENT, NULL,
                            "--%s says nothing to a training by the file's training_info: --loss and --optimizer train "
                            "without it",
                            unusable(o));
    ok = run(&t, signal);
    kiln_training_free(t.training);
    return ok;
}
