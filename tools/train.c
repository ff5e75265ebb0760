/* kiln train: a model learns from a data set. */
#include "figure.h"
#include "learn.h"
#include "model/file.h"
#include "run/profile.h"
#include "train/initialise.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FREEZES = 64, BAR = 24 };

struct options {
    struct learn_options learn;
    struct fit_options fit;
    const char *output, *history, *step_log, *figure, *profile;
    const char *freeze[MAX_FREEZES];
    struct measure save_best;
    bool quiet;
};

/* What the callbacks of a run need. */
struct session_log {
    const struct options *o;
    struct learn *learn;
    FILE *steps;
    struct history history;
    bool told[MEASURES]; /* which say something of this training */
    bool bar;
    double drawn; /* when the bar was drawn last */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* -- while it runs -- */

static void print_scores(const struct session_log *s, const struct scores *scores, const char *prefix)
{
    for (int m = 0; m < MEASURES; m++)
        if (s->told[m] && !isnan(scores->value[m]))
            printf("  %s%s %.4f", prefix, measure_name(m), scores->value[m]);
}

static void draw_bar(struct session_log *s, const struct fit_step *f)
{
    const int full = (int)((double)BAR * (double)f->done / (double)f->of);
    const double t = now();

    if (t - s->drawn < .1 && f->done < f->of)
        return;
    s->drawn = t;
    printf("\repoch %lld/%lld [", (long long)f->epoch, (long long)s->o->fit.epochs);
    for (int k = 0; k < BAR; k++)
        putchar(k < full ? '=' : k == full ? '>' : ' ');
    printf("] %lld/%lld", (long long)f->done, (long long)f->of);
    print_scores(s, &f->so_far, "");
    printf("\033[K");
    fflush(stdout);
}

static bool fail_log(const char *path, struct report *r)
{
    return fail(r, errno == ENOMEM ? KILN_NO_MEMORY : KILN_IO, path, "cannot be written: %s", strerror(errno));
}

static bool on_step(void *user, const struct fit_step *f, struct report *r)
{
    struct session_log *s = user;

    if (s->steps && fprintf(s->steps, "%lld,%lld,%.9g\n", (long long)f->step, (long long)f->epoch, (double)f->loss) < 0)
        return fail_log(s->o->step_log, r);
    if (s->bar)
        draw_bar(s, f);
    return true;
}

static bool save(struct session_log *s, struct report *r)
{
    return trainer_save(s->learn->trainer, s->o->output, r);
}

static void print_epoch(const struct session_log *s, const struct epoch *e)
{
    printf("%sepoch %lld/%lld  %.2f s", s->bar ? "\r\033[K" : "", (long long)e->number, (long long)s->o->fit.epochs,
           e->seconds);
    print_scores(s, &e->train, "");
    print_scores(s, &e->validation, "val_");
    printf("%s\n", s->o->fit.save_best && e->best ? "  saved" : "");
    fflush(stdout);
}

static struct scores told_scores(const struct session_log *s, const struct scores *scores)
{
    struct scores told = *scores;

    for (int m = 0; m < MEASURES; m++)
        if (!s->told[m])
            told.value[m] = NAN;
    return told;
}

static bool on_epoch(void *user, const struct epoch *e, struct report *r)
{
    struct session_log *s = user;
    struct history *h = &s->history;

    if (!budget_grow(&s->learn->budget, &h->row, &h->capacity, h->epochs + 1, sizeof *h->row, r))
        return false;
    h->row[h->epochs++] = (struct history_row){ .epoch = (double)e->number,
                                                .seconds = e->seconds,
                                                .train = told_scores(s, &e->train),
                                                .validation = told_scores(s, &e->validation) };
    if (!s->o->quiet)
        print_epoch(s, e);
    return !s->o->fit.save_best || !e->best || save(s, r);
}

/* -- before and after -- */

static void print_start(const struct options *o, const struct learn *l)
{
    const struct trainer *t = l->trainer;

    say("model      %s: %lld parameters to train, %lld in statistics, %lld frozen%s\n", o->learn.model,
        (long long)parameters_elements(&t->parameters, ROLE_TRAINABLE),
        (long long)parameters_elements(&t->parameters, ROLE_STATISTIC),
        (long long)parameters_elements(&t->parameters, ROLE_FROZEN), l->drawn ? ", initial values drawn" : "");
    say("data       %s: %lld samples%s", o->learn.data, (long long)l->train.count,
        l->data.header ? " below a header" : "");
    if (l->checks)
        say(", %lld to validate", (long long)l->check.count);
    say("\n");
    say("loss       %s\n", t->loss.said);
    say("optimizer  %s, learning rate %g, batch %lld, %d threads\n", t->optimizer.def->row.name, t->learning_rate,
        (long long)o->fit.batch, pool_threads(t->engine.pool));
    fflush(stdout);
}

static bool write_text(struct text *t, const char *path, struct report *r)
{
    return !t->failed && file_write(path, t->data, t->length, r);
}

static bool write_results(struct session_log *s, struct report *r)
{
    const struct options *o = s->o;
    struct text csv = { .budget = &s->learn->budget, .report = r }, trace = csv;
    bool ok = o->fit.save_best || save(s, r);

    if (ok && o->history) {
        history_csv(&s->history, &csv);
        ok = write_text(&csv, o->history, r);
    }
    if (ok && o->figure)
        ok = figure_of_histories(o->figure, o->learn.model, &s->history, 1, &s->learn->budget, r);
    if (ok && o->profile) {
        profile_trace(s->learn->trainer->engine.profile, &trace);
        ok = write_text(&trace, o->profile, r);
    }
    text_release(&csv);
    text_release(&trace);
    return ok;
}

/* Before the work, not after it. */
static bool claim_results(const struct options *o, struct report *r)
{
    const struct {
        const char *path;
        enum file_use use;
    } results[] = {
        { o->output, FILE_WRITE_MODEL }, { o->step_log, FILE_WRITE_LOG }, { o->history, FILE_WRITE },
        { o->figure, FILE_WRITE },       { o->profile, FILE_WRITE },
    };

    for (size_t k = 0; k < sizeof results / sizeof *results; k++)
        if (results[k].path && !file_claim(results[k].path, results[k].use, r))
            return false;
    return true;
}

static bool open_logs(struct session_log *s, struct report *r)
{
    static char buffer[1 << 12];
    const struct options *o = s->o;
    struct engine *e = &s->learn->trainer->engine;

    if (o->profile && !(e->profile = profile_new(&s->learn->trainer->budget, r)))
        return false;
    if (!o->step_log)
        return true;
    s->steps = file_open_log(o->step_log, r);
    if (!s->steps)
        return false;
    setvbuf(s->steps, buffer, _IOFBF, sizeof buffer); /* or memory for it could be wanting when the file is empty */
    return fputs("step,epoch,loss\n", s->steps) >= 0 || fail_log(o->step_log, r);
}

static bool close_logs(struct session_log *s, struct report *r)
{
    FILE *f = s->steps;

    s->steps = NULL;
    return !f || fclose(f) == 0 || fail_log(s->o->step_log, r);
}

static bool train(struct session_log *s)
{
    struct learn *l = s->learn;
    const struct fit_events events = { s, on_step, on_epoch };
    struct report *r = &l->report;
    int64_t ran = 0;
    bool ok;

    for (int m = 0; m < MEASURES; m++)
        s->told[m] = measure_applies(l->trainer, &l->data, m);
    s->bar = !s->o->quiet && isatty(STDOUT_FILENO);
    if (!s->o->quiet)
        print_start(s->o, l);
    ok = open_logs(s, r) &&
         trainer_fit(l->trainer, &l->train, l->checks ? &l->check : NULL, &l->normalizer, &s->o->fit, &events, &ran, r);
    if (!close_logs(s, r) || !ok || !write_results(s, r))
        return false;
    if (!s->o->quiet && ran < s->o->fit.epochs)
        say("stopped after %lld epochs without improvement\n", (long long)s->o->fit.early_stop.patience);
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
    KEY_EXACT
};

static const struct argp_option argp_options[] = {
    { "data", 'd', "SPEC", 0, "{data}; then :train or :test where there are such, and [FROM:TO]", 1 },
    { "output", 'o', "FILE", 0, "where the trained model goes; text where it ends in .onnxtxt", 1 },
    { "validation", KEY_VALIDATION, "SPEC", 0, "data to validate with after each epoch", 1 },
    { "validation-split", KEY_SPLIT, "F", 0, "this part of the data, its end, validates", 1 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 1 },
    { "normalize", KEY_NORMALIZE, "KIND", 0, "unit (/255), center, standardize; fitted to the training data", 1 },
    { "loss", 'l', "NAME[:KEY=VALUE,...]", 0, "{losses} (guessed)", 2 },
    { "optimizer", 'O', "NAME[:KEY=VALUE,...]", 0, "{optimizers} (" DEFAULT_OPTIMIZER ")", 2 },
    { "batch", 'b', "N", 0, "samples in a step (32)", 2 },
    { "epochs", 'e', "N", 0, "(1)", 2 },
    { "seed", KEY_SEED, "N", 0, "of initial values, order and Dropout (0)", 2 },
    { "no-shuffle", KEY_NO_SHUFFLE, NULL, 0, "samples in the order of the file", 2 },
    { "freeze", KEY_FREEZE, "PATTERN", 0, "parameters that keep their values, as a shell pattern; may be repeated", 2 },
    { "untie", KEY_UNTIE, NULL, 0, "an initializer that several nodes read becomes one for each", 2 },
    { "threads", 't', "N", 0, "(one for each CPU)", 2 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 2 },
    { "save-best", KEY_BEST, "METRIC", 0, "write the model whenever {measures} is best", 3 },
    { "early-stop", KEY_STOP, "METRIC:PATIENCE", 0, "end after so many epochs without improvement", 3 },
    { "history", KEY_HISTORY, "FILE.csv", 0, "a row for each epoch", 3 },
    { "step-log", KEY_STEPS, "FILE.csv", 0, "a row for each step, with the loss before the update", 3 },
    { "figure", KEY_FIGURE, "FILE.svg", 0, "the curves", 3 },
    { "profile", KEY_PROFILE, "FILE.json", 0, "a Chrome trace of all steps", 3 },
    { "quiet", 'q', NULL, 0, "say nothing", 3 },
    { 0 },
};

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
    case 'l':
        l->trainer.loss = arg;
        return 0;
    case 'O':
        l->trainer.optimizer = arg;
        return 0;
    case KEY_FREEZE:
        if (l->trainer.freezes == MAX_FREEZES)
            argp_error(state, "--freeze is given more than %d times", (int)MAX_FREEZES);
        o->freeze[l->trainer.freezes++] = arg;
        return 0;
    case KEY_EXACT:
        l->trainer.exact = true;
        return 0;
    case KEY_UNTIE:
        l->trainer.untie = true;
        return 0;
    case 't':
        l->trainer.threads = (int)option_number(state, "threads", arg, 0, 1024);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_log_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    struct report r = { 0 };

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case KEY_BEST:
        if (!measure_parse(&o->save_best, arg, strlen(arg), &r))
            argp_error(state, "--save-best: %s", r.error.message);
        o->fit.save_best = &o->save_best;
        return 0;
    case KEY_STOP:
        if (!early_stop_parse(&o->fit.early_stop, arg, &r))
            argp_error(state, "--early-stop: %s", r.error.message);
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
        o->fit.epochs = option_number(state, "epochs", arg, 0, INT32_MAX);
        return 0;
    case KEY_SEED:
        o->fit.seed = o->learn.trainer.seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_NO_SHUFFLE:
        o->fit.shuffle = false;
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
    struct options o = { .fit = { .batch = 32, .epochs = 1, .shuffle = true }, .learn = { .draw = true } };
    struct learn l = { 0 };
    struct session_log s = { .o = &o, .learn = &l };
    int code = 0;

    o.learn.trainer.freeze = o.freeze;
    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    l.report = command_report(&l.teller);
    if (!claim_results(&o, &l.report) || !learn_open(&l, &o.learn) || !train(&s)) {
        if (s.bar)
            putchar('\n');
        code = tell_rest(&l.teller, &l.report.error);
    }
    history_release(&s.history, &l.budget);
    learn_close(&l);
    return code;
}

const struct verb verb_train = { "train", "train a model on a data set", run };
