/* kiln train: a model on a data set. */
#include "figure.h"
#include "learn.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PATTERNS = 64, BAR = 24 };

struct options {
    struct learn_options learn;
    kiln_fit_options fit;
    int64_t epochs; /* may be 0: the model is written as it is */
    const char *output, *history, *step_log, *figure, *profile;
    const char *freeze[MAX_PATTERNS], *train[MAX_PATTERNS];
    bool quiet;
};

/* What the callbacks of a run need. */
struct session_log {
    const struct options *o;
    struct learn *learn;
    FILE *steps;
    struct history history;
    bool bar, failed; /* failed: the error is told in the learn's command */
    double drawn;     /* when the bar was drawn last */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* -- while it runs -- */

static void print_values(const struct session_log *s, const double *values, const char *prefix)
{
    for (size_t m = 0; m < kiln_trainer_measure_count(s->learn->trainer); m++)
        if (!isnan(values[m]))
            say("  %s%s %.4f", prefix, kiln_trainer_measure_name(s->learn->trainer, m), values[m]);
}

static void draw_bar(struct session_log *s, const kiln_fit_step *f)
{
    const int full = (int)((double)BAR * (double)f->done / (double)f->of);
    const double t = now();

    if (t - s->drawn < .1 && f->done < f->of)
        return;
    s->drawn = t;
    printf("\repoch %lld/%lld [", (long long)f->epoch, (long long)s->o->epochs);
    for (int k = 0; k < BAR; k++)
        putchar(k < full ? '=' : k == full ? '>' : ' ');
    printf("] %lld/%lld", (long long)f->done, (long long)f->of);
    print_values(s, f->so_far, "");
    printf("\033[K");
    fflush(stdout);
}

static bool fail_log(struct session_log *s)
{
    s->failed = true;
    return command_fail(&s->learn->command, errno == ENOMEM ? KILN_NO_MEMORY : KILN_IO, s->o->step_log,
                        "cannot be written: %s", strerror(errno));
}

static bool on_step(void *user, const kiln_fit_step *f)
{
    struct session_log *s = user;

    if (s->steps && fprintf(s->steps, "%lld,%lld,%.9g\n", (long long)f->step, (long long)f->epoch, f->loss) < 0)
        return fail_log(s);
    if (s->bar)
        draw_bar(s, f);
    return true;
}

static bool save(struct session_log *s)
{
    struct command *c = &s->learn->command;

    return kiln_trainer_save(s->learn->trainer, s->o->output, KILN_FORM_BY_NAME, &c->err) == KILN_OK;
}

static void print_epoch(const struct session_log *s, const kiln_epoch *e)
{
    printf("%sepoch %lld/%lld  %.2f s", s->bar ? "\r\033[K" : "", (long long)e->number, (long long)s->o->epochs,
           e->seconds);
    print_values(s, e->train, "");
    print_values(s, e->validation, "val_");
    printf("%s\n", s->o->fit.best && e->best ? "  saved" : "");
    fflush(stdout);
}

static bool on_epoch(void *user, const kiln_epoch *e)
{
    struct session_log *s = user;

    s->failed = !history_add(&s->history, (double)e->number, e->seconds, e->train, e->validation, &s->learn->command);
    if (s->failed)
        return false;
    if (!s->o->quiet)
        print_epoch(s, e);
    s->failed = s->o->fit.best && e->best && !save(s);
    return !s->failed;
}

/* -- before and after -- */

static int64_t elements_of(const kiln_trainer *t, kiln_role role)
{
    int64_t sum = 0;

    for (size_t k = 0; k < kiln_trainer_parameter_count(t); k++) {
        const kiln_parameter *p = kiln_trainer_parameter(t, k);
        sum += p->role == role ? p->elements : 0;
    }
    return sum;
}

/* What they are of and for, where that could be something else. */
static void print_columns(const struct learn *l)
{
    const kiln_dataset *d = l->train;
    const kiln_dataset_info *data = kiln_dataset_about(d);

    for (size_t k = 0; k < data->inputs && data->inputs > 1; k++)
        say("%s'%s'", k ? ", " : " of ", kiln_dataset_input(d, k)->name);
    for (size_t k = 0; k < data->targets && l->named && l->outputs > 1; k++)
        say("%s'%s'", k ? ", " : " for ", kiln_dataset_target(d, k)->name);
}

/* Which of several inputs are normalised: those of float. */
static void print_normalization(const struct options *o, const kiln_trainer *t)
{
    const size_t count = kiln_trainer_input_count(t);

    if (!o->learn.normalize || count < 2)
        return;
    say("normalize  %s:", o->learn.normalize);
    for (size_t k = 0; k < count; k++) {
        const kiln_value_info *v = kiln_trainer_input(t, k);

        say("%s '%s'%s", k ? "," : "", v->name, kiln_dtype_is_float(v->dtype) ? "" : " stays as it is");
    }
    say("\n");
}

static void print_start(const struct options *o, const struct learn *l)
{
    const kiln_dataset_info *data = kiln_dataset_about(l->train);
    const kiln_trainer *t = l->trainer;

    say("model      %s: %lld parameters to train, %lld in statistics, %lld frozen%s\n", o->learn.model,
        (long long)elements_of(t, KILN_TRAINABLE), (long long)elements_of(t, KILN_STATISTIC),
        (long long)elements_of(t, KILN_FROZEN), l->drawn ? ", initial values drawn" : "");
    say("data       %s: %lld samples%s", o->learn.data, (long long)data->count, data->header ? " below a header" : "");
    print_columns(l);
    if (l->check)
        say(", %lld to validate", (long long)kiln_dataset_about(l->check)->count);
    data_say_label(l->train);
    say("\n");
    print_normalization(o, t);
    if (l->normalized)
        data_say_normalization(l->train, "normalize  ");
    learn_say_losses(l, "loss       ");
    say("optimizer  %s, learning rate %g, batch %lld, %d threads\n", kiln_trainer_optimizer(t),
        kiln_trainer_learning_rate(t), (long long)(kiln_trainer_batch(t) ? kiln_trainer_batch(t) : o->fit.batch),
        kiln_context_threads(l->command.context));
    fflush(stdout);
}

static bool write_results(struct session_log *s)
{
    const struct options *o = s->o;
    struct command *c = &s->learn->command;

    return (o->fit.best || save(s)) && (!o->history || history_write(&s->history, o->history, c)) &&
           (!o->figure || figure_of_histories(o->figure, o->learn.model, &s->history, 1, c)) &&
           (!o->profile || save_trace(c, o->profile, NULL, s->learn->trainer));
}

/* Before the work, not after it. */
static bool claim_results(const struct options *o, struct command *c)
{
    const struct {
        const char *path;
        kiln_file_use use;
    } results[] = {
        { o->output, KILN_FILE_MODEL },  { o->step_log, KILN_FILE_LOG },   { o->history, KILN_FILE_OUTPUT },
        { o->figure, KILN_FILE_OUTPUT }, { o->profile, KILN_FILE_OUTPUT },
    };

    for (size_t k = 0; k < sizeof results / sizeof *results; k++)
        if (results[k].path && kiln_file_claim(c->context, results[k].path, results[k].use, &c->err) != KILN_OK)
            return false;
    return true;
}

static bool open_log(struct session_log *s)
{
    static char buffer[1 << 12];
    struct command *c = &s->learn->command;

    if (!s->o->step_log)
        return true;
    if (kiln_file_open_log(&s->steps, c->context, s->o->step_log, &c->err) != KILN_OK)
        return false;
    setvbuf(s->steps, buffer, _IOFBF, sizeof buffer); /* or memory for it could be wanting when the file is empty */
    return fputs("step,epoch,loss\n", s->steps) >= 0 || fail_log(s);
}

static bool close_log(struct session_log *s)
{
    FILE *f = s->steps;

    s->steps = NULL;
    return !f || fclose(f) == 0 || fail_log(s);
}

/* *ran is how many epochs there were. */
static bool run_epochs(struct session_log *s, int64_t *ran)
{
    kiln_fit_options fit = s->o->fit;
    struct learn *l = s->learn;
    kiln_error err;

    *ran = 0;
    if (!s->o->epochs)
        return true;
    fit.epochs = s->o->epochs;
    fit.validation = l->check;
    fit.step = on_step;
    fit.epoch = on_epoch;
    fit.user = s;
    if (kiln_trainer_fit(l->trainer, l->train, &fit, ran, &err) == KILN_OK)
        return true;
    if (!s->failed) /* else a callback has said why */
        l->command.err = err;
    return false;
}

static bool start_history(struct session_log *s)
{
    for (size_t m = 0; m < kiln_trainer_measure_count(s->learn->trainer); m++) {
        const char *name = kiln_trainer_measure_name(s->learn->trainer, m);

        if (!history_add_measure(&s->history, name, strlen(name), &s->learn->command))
            return false;
    }
    return true;
}

static bool train(struct session_log *s)
{
    struct learn *l = s->learn;
    int64_t ran = 0;
    bool ok;

    s->bar = !s->o->quiet && isatty(STDOUT_FILENO);
    if (!s->o->quiet)
        print_start(s->o, l);
    ok = start_history(s) && open_log(s) && run_epochs(s, &ran);
    if (!close_log(s) || !ok || !write_results(s))
        return false;
    if (!s->o->quiet && ran < s->o->epochs)
        say("stopped after %lld epochs without improvement\n", (long long)s->o->fit.patience);
    if (!s->o->quiet)
        say("saved      %s\n", s->o->output);
    return true;
}

/* -- options -- */

enum {
    KEY_VALIDATION = 256,
    KEY_SPLIT,
    KEY_LIMIT,
    KEY_SEED,
    KEY_NO_SHUFFLE,
    KEY_FREEZE,
    KEY_NORMALIZE,
    KEY_BEST,
    KEY_STOP,
    KEY_HISTORY,
    KEY_STEPS,
    KEY_FIGURE,
    KEY_UNTIE,
    KEY_PROFILE,
    KEY_EXACT,
    KEY_TRAINABLE,
    KEY_BAKE
};

static const struct argp_option argp_options[] = {
    { "data", 'd', "SPEC", 0, "{data}; then :train or :test where there are such, and [FROM:TO]", 1 },
    { "output", 'o', "FILE", 0, "where the trained model goes; text where it ends in .onnxtxt", 1 },
    { "validation", KEY_VALIDATION, "SPEC", 0, "data to validate with after each epoch", 1 },
    { "validation-split", KEY_SPLIT, "F", 0, "this part of the data, its end, validates", 1 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 1 },
    LABEL_OPTION(1),
    { "normalize", KEY_NORMALIZE, "KIND", 0,
      "unit (/255), center, standardize, each feature by itself or with :channel or :whole behind it; fitted to the "
      "training data, and written into the model's metadata, where "
      "eval "
      "and predict find it; or none (as the metadata say)",
      1 },
    { "bake", KEY_BAKE, NULL, 0, "the normalisation becomes nodes in front of the inputs instead", 1 },
    TARGET_OPTIONS(2, "{losses} (guessed)"),
    { "optimizer", 'O', "NAME[:KEY=VALUE,...]", 0, "{optimizers} (adam)", 2 },
    { "batch", 'b', "N", 0, "samples in a step (32)", 2 },
    { "epochs", 'e', "N", 0, "(1)", 2 },
    { "seed", KEY_SEED, "N", 0, "of initial values, order and Dropout (0)", 2 },
    { "no-shuffle", KEY_NO_SHUFFLE, NULL, 0, "samples in the order of the file", 2 },
    { "freeze", KEY_FREEZE, "PATTERN", 0,
      "parameters that keep their values, as a shell pattern of their names or those of the nodes that read them; may "
      "be repeated",
      2 },
    { "trainable", KEY_TRAINABLE, "PATTERN", 0, "likewise, only these train; may be repeated (all that can)", 2 },
    { "untie", KEY_UNTIE, NULL, 0, "an initializer that several nodes read becomes one for each", 2 },
    { "threads", 't', "N", 0, "(one for each CPU)", 2 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 2 },
    { "save-best", KEY_BEST, "METRIC", 0,
      "write the model whenever loss or {metrics} is best; val_loss ... of the data to validate with, OUTPUT_loss ... "
      "of one of several outputs",
      3 },
    { "early-stop", KEY_STOP, "METRIC:PATIENCE", 0, "end after so many epochs without improvement", 3 },
    { "history", KEY_HISTORY, "FILE.csv", 0, "a row for each epoch", 3 },
    { "step-log", KEY_STEPS, "FILE.csv", 0, "a row for each step, with the loss before the update", 3 },
    { "figure", KEY_FIGURE, "FILE.svg", 0, "the curves", 3 },
    { "profile", KEY_PROFILE, "FILE.json", 0, "a Chrome trace of all steps", 3 },
    { "quiet", 'q', NULL, 0, "say nothing", 3 },
    { 0 },
};

static error_t add_pattern(const char **patterns, size_t *count, const char *option, const char *arg,
                           struct argp_state *state)
{
    if (*count == MAX_PATTERNS)
        argp_error(state, "--%s is given more than %d times", option, (int)MAX_PATTERNS);
    patterns[(*count)++] = arg;
    return 0;
}

static error_t parse_data_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    struct learn_options *l = &o->learn;

    switch (key) {
    case 'd':
        l->data = arg;
        return 0;
    case KEY_VALIDATION:
        l->validation = arg;
        return 0;
    case KEY_SPLIT:
        l->split = option_real(state, "validation-split", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_LIMIT:
        l->limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_NORMALIZE:
        l->normalize = option_normalization(state, arg);
        return 0;
    case KEY_BAKE:
        l->bake = true;
        return 0;
    case 'O':
        l->trainer.optimizer = arg;
        return 0;
    case KEY_FREEZE:
        return add_pattern(o->freeze, &l->trainer.freeze_count, "freeze", arg, state);
    case KEY_TRAINABLE:
        return add_pattern(o->train, &l->trainer.train_count, "trainable", arg, state);
    case KEY_EXACT:
        l->trainer.exact = true;
        return 0;
    case KEY_UNTIE:
        l->trainer.untie = true;
        return 0;
    case 't':
        l->threads = (int)option_number(state, "threads", arg, 0, 1024);
        return 0;
    default:
        return option_target(l, key, arg, state) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

/* "val_loss:3" */
static void parse_early_stop(struct options *o, char *arg, struct argp_state *state)
{
    char *colon = strrchr(arg, ':'), *end;

    o->fit.patience = colon ? strtoll(colon + 1, &end, 10) : 0;
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1] || o->fit.patience > 1000000)
        argp_error(state, "--early-stop: '%.60s' needs a number of epochs, as in 'val_loss:3'", arg);
    if (colon)
        *colon = 0;
    o->fit.early_stop = arg;
}

static error_t parse_log_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case KEY_BEST:
        o->fit.best = arg;
        return 0;
    case KEY_STOP:
        parse_early_stop(o, arg, state);
        return 0;
    case KEY_HISTORY:
        o->history = arg;
        return 0;
    case KEY_STEPS:
        o->step_log = arg;
        return 0;
    case KEY_FIGURE:
        o->figure = arg;
        return 0;
    case KEY_PROFILE:
        o->profile = arg;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return parse_data_option(key, arg, state);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'b':
        o->fit.batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case 'e':
        o->epochs = option_number(state, "epochs", arg, 0, INT32_MAX);
        return 0;
    case KEY_SEED:
        o->fit.seed = o->learn.trainer.seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_NO_SHUFFLE:
        o->fit.in_order = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->learn.limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->learn.model)
            argp_error(state, "one model at a time, '%s' is a second one", arg);
        o->learn.model = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->learn.model || !o->learn.data || !o->output)
            argp_error(state, "needs a model, --data and --output");
        if (o->learn.validation && o->learn.split > 0)
            argp_error(state, "--validation and --validation-split exclude each other");
        return 0;
    default:
        return parse_log_option(key, arg, state);
    }
}

static int run(int argc, char **argv)
{
    const struct argp argp = { argp_options,
                               parse_option,
                               "MODEL",
                               "Train a model. What trains and which loss is used goes by the model and is said."
                               "\vData:\n{data:}\nLosses:\n{losses:}\nOptimizers:\n{optimizers:}\nMetrics:\n"
                               "{metrics:}",
                               limits_options,
                               help_filled,
                               NULL };
    struct options o = { .epochs = 1,
                         .fit = KILN_FIT_OPTIONS_INIT,
                         .learn = { .draw = true, .keep = true, .trainer = KILN_TRAINER_OPTIONS_INIT } };
    static struct learn l;
    struct session_log s = { .o = &o, .learn = &l };
    struct command *c = &l.command;
    bool ok;

    o.fit.batch = 32;
    o.learn.trainer.freeze = o.freeze;
    o.learn.trainer.train = o.train;
    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    o.learn.trainer.profile = o.profile;
    c->limits = o.learn.limits;
    ok = command_start(c, o.learn.threads) && claim_results(&o, c) && learn_open(&l, &o.learn) && train(&s);
    if (!ok && s.bar)
        putchar('\n');
    history_release(&s.history);
    learn_close(&l);
    return command_end(c, ok);
}

const struct verb verb_train = { "train", "train a model on a data set", run };
