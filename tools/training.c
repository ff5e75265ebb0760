#include "training.h"
#include "bar.h"
#include "figure.h"
#include "history.h"
#include "stop.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
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
    bool log_failed;  /* the log of steps is not whole */
    struct bar drawn;
    int64_t epoch, step;     /* that were complete */
    int64_t saved_epoch;     /* that the output holds; 0: nothing of this training */
    double saved_at, saving; /* when it was written last, and how long that took */
};

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
    s->failed = s->log_failed = true;
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
    s->learn->command.teller.held = true; /* from here on the last line tells what ended it */
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
    const double start = seconds_now();

    if (kiln_trainer_save(s->learn->trainer, s->o->output, KILN_FORM_BY_NAME, &c->err) != KILN_OK)
        return false;
    s->saved_at = seconds_now();
    s->saving = s->saved_at - start;
    s->saved_epoch = s->epoch;
    return true;
}

/* So that little is lost when parameters become infinite, or the machine fails. What cannot be written now may be at the
 * end: the disk is full, and will not be. */
static void save_between(struct session_log *s)
{
    struct kiln_error before = s->learn->command.err;

    if (seconds_now() - s->saved_at < SELDOM * s->saving || save(s))
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

/* -- the end -- */

/* What is told of it, but for a signal. */
struct end {
    bool early;             /* not all epochs were trained */
    kiln_error why;         /* the first error; of KILN_OK: there is none */
    struct page model;      /* what the output holds */
    struct page kept, lost; /* other files */
};

/* A file that was to be written, or NULL. The first error is what the line begins with. */
static void note(struct session_log *s, struct end *e, const char *path, bool ok)
{
    const bool first = e->why.code == KILN_OK;

    if (!ok && first)
        e->why = s->learn->command.err;
    if (path && ok)
        page_say(&e->kept, "%s%s", e->kept.length ? ", " : "; kept: ", path);
    else if (path)
        page_say(&e->lost, "; %s is not written%s%s", path, first ? "" : ": ",
                 first ? "" : s->learn->command.err.message);
}

/* A step that fails leaves the parameters as they were before it, but those that gave a loss which is no number are not
 * worth to be kept. */
static void keep_model(struct session_log *s, struct end *e, int signal)
{
    const struct train_options *o = s->o;
    const bool diverged = e->early && !signal && e->why.code == KILN_RUN_FAILED;
    const bool best = diverged && o->fit.restore_best && s->epoch; /* the trainer has put it back */
    bool ok = false;

    if (e->early && !diverged)
        kiln_trainer_finalize(s->learn->trainer, NULL);
    if (best || (!diverged && !(o->fit.best && s->saved_epoch))) {
        ok = save(s);
        if (!ok)
            note(s, e, o->output, false);
    }
    if (ok && best)
        page_say(&e->model, "; %s holds the model of when %s was best", o->output, o->fit.restore_best);
    else if (ok)
        page_say(&e->model, "; %s holds the model after step %lld", o->output, (long long)s->step);
    else if (s->saved_epoch && access(o->output, F_OK) == 0)
        page_say(&e->model, "; %s holds the %smodel of epoch %lld", o->output, o->fit.best ? "best " : "",
                 (long long)s->saved_epoch);
    else if (diverged)
        page_say(&e->model, "; %s is not written: there is no good model of this training", o->output);
}

static void keep_tables(struct session_log *s, struct end *e)
{
    const struct train_options *o = s->o;
    struct command *c = &s->learn->command;

    note(s, e, o->history, !o->history || history_write(&s->history, o->history, c));
    if (s->history.epochs)
        note(s, e, o->figure, !o->figure || figure_of_histories(o->figure, o->learn.model, &s->history, 1, c));
    note(s, e, o->profile, !o->profile || save_trace(c, o->profile, NULL, s->learn->trainer));
}

/* What was written while it ran. */
static void note_logs(struct session_log *s, struct end *e, bool board)
{
    const struct train_options *o = s->o;

    if (o->step_log && !s->log_failed)
        note(s, e, o->step_log, true);
    if (o->tensorboard && board)
        note(s, e, o->tensorboard, true);
    if (o->checkpoint_file && access(o->checkpoint_file, F_OK) == 0)
        note(s, e, o->checkpoint_file, true);
}

static const char *text_of(const struct page *p)
{
    return p->text ? p->text : "";
}

/* In a line: what ended it, and what there is of it. */
static void say_end(const struct session_log *s, const struct end *e, int signal)
{
    const long long epochs = s->epoch, steps = s->step;

    if (signal)
        say_to(stderr, "kiln: stopped by %s after %lld epochs, %lld steps%s%s%s\n", stop_name(signal), epochs, steps,
               text_of(&e->model), text_of(&e->kept), text_of(&e->lost));
    else
        say_to(stderr, "kiln: training ended after %lld epochs, %lld steps: %s%s%s%s%s%s\n", epochs, steps,
               e->why.where, *e->why.where ? ": " : "", e->why.message, text_of(&e->model), text_of(&e->kept),
               text_of(&e->lost));
}

/* Whatever has ended it, all that is worth it is written. False where that was an error, which has been told. */
static bool finish(struct session_log *s, struct end *e, int signal, bool board)
{
    struct command *c = &s->learn->command;
    bool ok;

    c->teller.held = true; /* what fails here is a part of the line */
    keep_model(s, e, signal);
    keep_tables(s, e);
    c->teller.held = false;
    ok = e->why.code == KILN_OK;
    if (!ok || signal) {
        note_logs(s, e, board);
        say_end(s, e, signal);
        c->err = e->why;
        c->teller.told = 1;
    }
    page_free(&e->model);
    page_free(&e->kept);
    page_free(&e->lost);
    return ok || signal;
}

static bool train(struct session_log *s, int *signal)
{
    struct command *c = &s->learn->command;
    struct end end = { 0 };
    int64_t ran = 0;
    bool ok = start_history(s) && read_old_log(s), board;

    stop_watch(c->context);
    ok = ok && run_epochs(s, &ran);
    *signal = stop_caught();
    c->teller.held = false;
    if (!ok) {
        end.early = true;
        end.why = c->err;
        if (s->bar)
            putchar('\n');
    }
    if (!close_log(s) && ok)
        end.why = c->err;
    board = board_close(&s->board);
    if (!board && end.why.code == KILN_OK)
        end.why = c->err;
    if (end.why.code != KILN_OK && !s->step) {
        c->err = end.why;
        if (*signal)
            say_to(stderr, "kiln: stopped by %s before the first step\n", stop_name(*signal));
        return *signal;
    }
    if (!finish(s, &end, *signal, board))
        return false;
    if (*signal || s->o->quiet)
        return true;
    if (ran < s->o->epochs)
        say("stopped after %lld epochs without improvement\n", (long long)s->o->fit.patience);
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
