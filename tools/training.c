#include "training.h"
#include "bar.h"
#include "figure.h"
#include "history.h"
#include "stop.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FLUSH = 64, /* rows of a log that are written at once: whole ones, also where the command is killed */
    SELDOM = 20 /* a model is saved between epochs where that takes less than this part of the time */
};

/* What the callbacks of a run need. */
struct session_log {
    const struct train_options *o;
    struct learn *learn;
    FILE *steps;
    struct page old_steps; /* what the log held before, of a training that is taken up again */
    struct history history;
    struct board board;
    bool bar, failed; /* failed: the error is told in the learn's command */
    struct bar drawn;
    int64_t epoch, step;     /* that were complete */
    int64_t saved_epoch;     /* that the output holds; 0: nothing of this training */
    double saved_at, saving; /* when it was written last, and how long that took */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* -- while it runs -- */

static void add_values(const struct session_log *s, struct page *to, const double *values, const char *prefix)
{
    for (size_t m = 0; m < kiln_trainer_measure_count(s->learn->trainer); m++)
        if (kiln_trainer_measures(s->learn->trainer, s->learn->train, m))
            page_say(to, "  %s%s %.4f", prefix, kiln_trainer_measure_name(s->learn->trainer, m),
                     learn_number(values[m]));
}

static void draw_bar(struct session_log *s, const kiln_fit_step *f)
{
    struct page measures = { 0 };

    add_values(s, &measures, f->so_far, "");
    bar_draw(&s->drawn, f, s->o->epochs, &measures);
    page_free(&measures);
}

static bool fail_log(struct session_log *s)
{
    s->failed = true;
    return command_fail(&s->learn->command, errno == ENOMEM ? KILN_NO_MEMORY : KILN_IO, s->o->step_log,
                        "cannot be written: %s", strerror(errno));
}

/* A checkpoint must not be ahead of the log. */
static bool is_flushed(const struct session_log *s, int64_t step)
{
    const int64_t every = s->o->fit.checkpoint_steps;

    return step % FLUSH == 0 || (every && step % every == 0);
}

static bool on_step(void *user, const kiln_fit_step *f)
{
    struct session_log *s = user;

    s->step = f->step;
    if (s->steps &&
        (fprintf(s->steps, "%lld,%lld,%.9g\n", (long long)f->step, (long long)f->epoch, learn_number(f->loss)) < 0 ||
         (is_flushed(s, f->step) && fflush(s->steps))))
        return fail_log(s);
    if (s->bar)
        draw_bar(s, f);
    return true;
}

static bool save(struct session_log *s)
{
    struct command *c = &s->learn->command;
    const double start = now();

    if (kiln_trainer_save(s->learn->trainer, s->o->output, KILN_FORM_BY_NAME, &c->err) != KILN_OK)
        return false;
    s->saved_at = now();
    s->saving = s->saved_at - start;
    s->saved_epoch = s->epoch;
    return true;
}

/* So that little is lost when parameters become infinite, or the machine fails. What cannot be written now may be at the
 * end: the disk is full, and will not be. */
static void save_between(struct session_log *s)
{
    struct kiln_error before = s->learn->command.err;

    if (now() - s->saved_at < SELDOM * s->saving || save(s))
        return;
    say_to(stderr, "kiln: warning: %s: not written after epoch %lld: %s\n", s->o->output, (long long)s->epoch,
           s->learn->command.err.message);
    s->learn->command.err = before;
}

/* Does the learning rate change? */
static bool has_rates(const struct train_options *o)
{
    return o->learn.trainer.schedule || o->fit.reduce_on_plateau;
}

static void print_epoch(const struct session_log *s, const kiln_epoch *e)
{
    const int64_t every = s->o->fit.validation_freq;
    struct page measures = { 0 };

    add_values(s, &measures, e->train, "");
    if (s->learn->check && (!every || e->number % every == 0))
        add_values(s, &measures, e->validation, "val_");
    if (has_rates(s->o))
        page_printf(&measures, "  learning_rate %.4g", e->learning_rate);
    if (s->bar)
        bar_clear();
    printf("epoch %lld/%lld  %.2f s%s%s\n", (long long)e->number, (long long)s->o->epochs, e->seconds,
           measures.text ? measures.text : "", s->o->fit.best && e->best ? "  saved" : "");
    page_free(&measures);
    fflush(stdout);
}

/* Of a loss that is no number nothing good comes. */
static bool is_sound(const kiln_epoch *e)
{
    return isfinite(e->train[0]) && !isinf(e->validation[0]);
}

static bool add_row(struct session_log *s, const kiln_epoch *e)
{
    if (!history_add(&s->history, (double)e->number, e->seconds, e->train, e->validation, &s->learn->command))
        return false;
    if (has_rates(s->o))
        history_note_rate(&s->history, e->learning_rate);
    return true;
}

static bool on_epoch(void *user, const kiln_epoch *e)
{
    struct session_log *s = user;

    s->epoch = e->number;
    if (s->steps && fflush(s->steps))
        return fail_log(s);
    s->failed = !add_row(s, e);
    if (s->failed)
        return false;
    s->failed = !board_epoch(&s->board, s->learn->trainer, e, s->step, &s->learn->command);
    if (s->failed)
        return false;
    if (!s->o->quiet)
        print_epoch(s, e);
    if (s->o->fit.best)
        s->failed = e->best && !save(s);
    else if (e->number < s->o->epochs && is_sound(e))
        save_between(s);
    return !s->failed;
}

/* -- what is told at the start -- */

/* The elements of all parameters that are that. */
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
static void print_normalization(const struct train_options *o, const kiln_trainer *t)
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

void training_say_start(const struct train_options *o, const struct learn *l)
{
    const kiln_dataset_info *data = kiln_dataset_about(l->train);
    const kiln_trainer *t = l->trainer;

    say("model      %s: %lld parameters to train, %lld in statistics, %lld frozen%s\n", o->learn.model,
        (long long)elements_of(t, KILN_TRAINABLE), (long long)elements_of(t, KILN_STATISTIC),
        (long long)elements_of(t, KILN_FROZEN), l->drawn ? ", initial values drawn" : "");
    say("data       %s: %lld samples%s", o->learn.data, (long long)data->count, data->header ? " below a header" : "");
    print_columns(l);
    if (data->shuffle_buffer && o->fit.in_order)
        say(", streamed in their order");
    else if (data->shuffle_buffer)
        say(", streamed and shuffled in a window of %lld", (long long)data->shuffle_buffer);
    if (l->check)
        say(", %lld to validate", (long long)kiln_dataset_about(l->check)->count);
    data_say_label(l->train);
    say("\n");
    print_normalization(o, t);
    if (l->normalized)
        data_say_normalization(l->train, "normalize  ");
    if (o->learn.augment)
        say("augment    %s\n", o->learn.augment);
    learn_say_losses(l, "loss       ");
    say("optimizer  %s, learning rate %g, batch %lld, %d threads\n", kiln_trainer_optimizer(t),
        kiln_trainer_learning_rate(t), (long long)(kiln_trainer_batch(t) ? kiln_trainer_batch(t) : o->fit.batch),
        kiln_context_threads(l->command.context));
    if (o->learn.trainer.schedule)
        say("schedule   %s\n", o->learn.trainer.schedule);
    fflush(stdout);
}

/* -- results -- */

static bool write_tables(struct session_log *s)
{
    const struct train_options *o = s->o;
    struct command *c = &s->learn->command;

    return (!o->history || history_write(&s->history, o->history, c)) &&
           (!o->figure || !s->history.epochs || figure_of_histories(o->figure, o->learn.model, &s->history, 1, c)) &&
           (!o->profile || save_trace(c, o->profile, NULL, s->learn->trainer));
}

static bool claim(struct command *c, const char *path, kiln_file_use use)
{
    return !path || kiln_file_claim(c->context, path, use, &c->err) == KILN_OK;
}

/* The file of checkpoints in a directory, which the caller frees; NULL with an error. */
static char *checkpoint_in(const char *directory, struct command *c)
{
    char *path = NULL;

    if (asprintf(&path, "%s/checkpoint.npz", directory) < 0) {
        command_no_memory(c);
        return NULL;
    }
    return path;
}

/* One that is there is gone on from, or is somebody's. */
static bool claim_checkpoint(struct train_options *o, struct command *c)
{
    if (o->resume && !(o->fit.resume = o->resume_file = checkpoint_in(o->resume, c)))
        return false;
    if (o->resume && access(o->resume_file, F_OK))
        return command_fail(c, KILN_IO, o->resume, "there is no checkpoint to go on from");
    if (!o->checkpoint)
        return true;
    if (mkdir(o->checkpoint, 0777) && errno != EEXIST)
        return command_fail_system(c, o->checkpoint);
    o->fit.checkpoint = o->checkpoint_file = checkpoint_in(o->checkpoint, c);
    if (!o->checkpoint_file)
        return false;
    if ((!o->resume || strcmp(o->resume, o->checkpoint) != 0) && access(o->checkpoint_file, F_OK) == 0)
        return command_fail(c, KILN_BAD_ARGUMENT, o->checkpoint,
                            "there is a checkpoint already: --resume goes on from it; delete it to begin anew");
    return true;
}

void training_release(struct train_options *o)
{
    free(o->checkpoint_file);
    free(o->resume_file);
}

bool training_claim(struct train_options *o, struct command *c)
{
    if (o->figure && !canvas_for(o->figure, c))
        return false;
    if (!claim_checkpoint(o, c))
        return false;
    if (o->tensorboard &&
        !board_claim(&o->board, o->tensorboard, o->learn.validation || o->learn.split > 0, o->resume, c))
        return false;
    return claim(c, o->output, KILN_FILE_MODEL) && claim(c, o->step_log, KILN_FILE_LOG) &&
           claim(c, o->history, KILN_FILE_OUTPUT) && claim(c, o->figure, KILN_FILE_OUTPUT) &&
           claim(c, o->profile, KILN_FILE_OUTPUT) && claim(c, o->fit.checkpoint, KILN_FILE_MODEL);
}

/* -- the log of steps -- */

/* Of a training that is taken up again, before the log is emptied. */
static bool read_old_log(struct session_log *s)
{
    FILE *f = s->o->resume && s->o->step_log ? fopen(s->o->step_log, "r") : NULL;
    char piece[1 << 12];
    size_t n;

    if (!f)
        return true;
    s->old_steps.command = &s->learn->command;
    while ((n = fread(piece, 1, sizeof piece, f)))
        page_add(&s->old_steps, piece, n);
    fclose(f);
    return !s->old_steps.failed || command_no_memory(&s->learn->command);
}

#define LOG_HEADER "step,epoch,loss\n"

/* How many bytes the rows take up to the step where the checkpoint was made: what follows comes again. 0: it is no such log. */
static size_t old_rows(const struct session_log *s, int64_t steps)
{
    const char *text = s->old_steps.text, *at = text ? text + strlen(LOG_HEADER) : NULL;

    if (!text || strncmp(text, LOG_HEADER, strlen(LOG_HEADER)) != 0)
        return 0;
    for (const char *end; *at && strtoll(at, NULL, 10) <= steps && (end = strchr(at, '\n')); at = end + 1)
        ;
    return (size_t)(at - text);
}

/* Cut behind those rows: they are never out of the file. */
static bool take_up_log(struct session_log *s, size_t bytes)
{
    s->steps = fopen(s->o->step_log, "r+");
    return (s->steps && ftruncate(fileno(s->steps), (off_t)bytes) == 0 && fseek(s->steps, 0, SEEK_END) == 0) ||
           fail_log(s);
}

static bool open_log(struct session_log *s, int64_t steps)
{
    static char buffer[1 << 12];
    struct command *c = &s->learn->command;
    const size_t kept = old_rows(s, steps);

    if (!s->o->step_log)
        return true;
    if (kept)
        return take_up_log(s, kept);
    if (kiln_file_open_log(&s->steps, c->context, s->o->step_log, &c->err) != KILN_OK)
        return false;
    setvbuf(s->steps, buffer, _IOFBF, sizeof buffer); /* or memory for it could be wanting when the file is empty */
    return (fputs(LOG_HEADER, s->steps) >= 0 && fflush(s->steps) == 0) || fail_log(s);
}

static bool close_log(struct session_log *s)
{
    FILE *f = s->steps;

    s->steps = NULL;
    page_free(&s->old_steps);
    return !f || fclose(f) == 0 || fail_log(s);
}

/* -- all of it -- */

static bool on_past(void *user, const kiln_epoch *e)
{
    struct session_log *s = user;

    if (s->o->fit.best && e->best)
        s->saved_epoch = e->number;
    s->failed = !add_row(s, e);
    return !s->failed;
}

static bool on_start(void *user, int64_t epochs, int64_t steps)
{
    struct session_log *s = user;

    s->epoch = epochs;
    s->step = steps;
    if (s->saved_epoch && access(s->o->output, F_OK)) {
        say_to(stderr, "kiln: warning: %s is not there any more: the best model so far, of epoch %lld, is lost\n",
               s->o->output, (long long)s->saved_epoch);
        s->saved_epoch = 0;
    }
    s->failed = !open_log(s, steps) || !board_open(&s->board, s->learn->trainer, &s->learn->command);
    if (!s->failed && !s->o->quiet && s->o->resume)
        say("resumed    %s: %lld epochs and %lld steps lie behind\n", s->o->resume, (long long)epochs,
            (long long)steps);
    return !s->failed;
}

/* *ran is how many epochs there were. */
static bool run_epochs(struct session_log *s, int64_t *ran)
{
    kiln_fit_options fit = s->o->fit;
    struct learn *l = s->learn;
    kiln_error err;

    *ran = 0;
    if (!s->o->epochs)
        return on_start(s, 0, 0);
    fit.epochs = s->o->epochs;
    fit.validation = l->check;
    fit.past = on_past;
    fit.start = on_start;
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

/* Where it ended too early: what was done is kept. A step that fails leaves the parameters as they were before it, but
 * those that gave a loss which is no number are not worth to be kept. */
static void rescue(struct session_log *s, int signal)
{
    struct command *c = &s->learn->command;
    const kiln_error why = c->err;
    const bool diverged = !signal && why.code == KILN_RUN_FAILED;

    if (signal)
        say_to(stderr, "kiln: stopped by %s after %lld epochs, %lld steps\n", stop_name(signal), (long long)s->epoch,
               (long long)s->step);
    else
        say_to(stderr, "kiln: training ended after %lld epochs, %lld steps\n", (long long)s->epoch, (long long)s->step);
    if (!diverged)
        kiln_trainer_finalize(s->learn->trainer, NULL);
    if (diverged && s->o->fit.restore_best && s->epoch && save(s))
        say_to(stderr, "kiln: %s holds the model of when %s was best\n", s->o->output, s->o->fit.restore_best);
    else if (!diverged && !(s->o->fit.best && s->saved_epoch))
        save(s) ? say_to(stderr, "kiln: %s holds the model after step %lld\n", s->o->output, (long long)s->step)
                : (void)tell_error(s->o->output, &c->err);
    else if (s->saved_epoch)
        say_to(stderr, "kiln: %s holds the %smodel of epoch %lld\n", s->o->output, s->o->fit.best ? "best " : "",
               (long long)s->saved_epoch);
    else
        say_to(stderr, "kiln: %s is not written: there is no good model of this training\n", s->o->output);
    if (!write_tables(s))
        tell_error(NULL, &c->err);
    c->err = why;
}

static bool train(struct session_log *s, int *signal)
{
    struct learn *l = s->learn;
    int64_t ran = 0;
    bool ok = start_history(s) && read_old_log(s);

    stop_watch(l->command.context);
    ok = ok && run_epochs(s, &ran);
    *signal = stop_caught();
    if (!ok && s->bar)
        putchar('\n');
    ok = close_log(s) && ok;
    ok = board_close(&s->board) && ok;
    if (!ok && s->step)
        rescue(s, *signal);
    if (!ok)
        return *signal; /* that has been told */
    ok = (s->o->fit.best && s->saved_epoch) || save(s);
    if (!ok) { /* the others are written all the same */
        const kiln_error why = l->command.err;

        write_tables(s);
        l->command.err = why;
        l->command.teller.told = 0; /* once more: it is what the command ends with */
        return false;
    }
    if (!write_tables(s))
        return false;
    if (!s->o->quiet && ran < s->o->epochs)
        say("stopped after %lld epochs without improvement\n", (long long)s->o->fit.patience);
    if (!s->o->quiet)
        say("saved      %s\n", s->o->output);
    return true;
}

bool training_run(const struct train_options *o, struct learn *l, int *signal)
{
    struct session_log s = { .o = o, .learn = l, .board = o->board, .bar = !o->quiet && isatty(STDOUT_FILENO) };
    bool ok;

    if (!o->quiet)
        training_say_start(o, l);
    ok = train(&s, signal);
    history_release(&s.history);
    return ok;
}
