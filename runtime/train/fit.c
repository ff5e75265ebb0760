#include "train/fit.h"
#include "base/clock.h"
#include "train/batch_size.h"
#include "train/feed.h"
#include "train/lag.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* -- where a training is -- */

/* Nothing else lasts from step to step beside the trainer's state: a checkpoint holds these. */
struct progress {
    int64_t epochs;                       /* that are complete */
    int64_t pass, at;                     /* over the data, from 0, and how many of its samples it has given */
    int64_t steps;                        /* of the epoch that has begun */
    int64_t wait;                         /* epochs without improvement */
    int64_t ended;                        /* 1: early stopping has ended it */
    double seconds;                       /* that the epoch that has begun has taken */
    double best, stop_best, restore_best; /* by options.save_best, early_stop, restore_best */
    struct plateau plateau;
    double learning_rate;                 /* that the plateau has made of it */
    int64_t best_of, stop_of, restore_of; /* the measures that those are of; 0: none */
};

struct fit {
    struct trainer *trainer;
    const struct dataset *train, *validation;
    const struct normalizer *normalizer, *validation_normalizer;
    const struct fit_options *options;
    const struct fit_events *events;
    struct feed feed;
    struct sums sums;
    struct progress progress;
    struct past past;                         /* what was told of each epoch */
    struct snapshot *best;                    /* for options.restore_best */
    double *so_far, *train_means, *val_means; /* by measure */
    int64_t samples;                          /* that an epoch sees; 0: that is not known yet */
    double learning_rate;                     /* that the training began with */
    struct text about;                        /* what each checkpoint says of the training */
    struct report *report;
};

static double now(void)
{
    return (double)clock_now() * 1e-9;
}

static bool stopped(struct report *r)
{
    return failed(r) ? false : fail(r, KILN_STOPPED, NULL, "stopped");
}

/* -- checkpoints -- */

enum { MOST_FIELDS = 24 };
#define MOST 0x1p53                     /* that a number counts to */
enum { SECONDS, BEST, RATE, MEASURES }; /* in a row of the past: then the measures of training, then of validation */

static void list_fields(struct fit *f, struct checkpoint_field *to)
{
    struct progress *p = &f->progress;
    const struct checkpoint_field fields[] = {
        { "epochs", I64, &p->epochs, 1, 0, INT32_MAX },
        { "pass", I64, &p->pass, 1, 0, MOST },
        { "samples_of_pass", I64, &p->at, 1, 0, (double)dataset_most(f->train) },
        { "steps_of_epoch", I64, &p->steps, 1, 0, MOST },
        { "wait", I64, &p->wait, 1, 0, MOST },
        { "ended", I64, &p->ended, 1, 0, 1 },
        { "seconds", F64, &p->seconds, 1, 0, MOST },
        { "best", F64, &p->best, 1, 0, 0 },
        { "best_of", I64, &p->best_of, 1, 0, 0 },
        { "early_stop_best", F64, &p->stop_best, 1, 0, 0 },
        { "early_stop_of", I64, &p->stop_of, 1, 0, 0 },
        { "restore_best", F64, &p->restore_best, 1, 0, 0 },
        { "restore_best_of", I64, &p->restore_of, 1, 0, 0 },
        { "plateau_best", F64, &p->plateau.best, 1, 0, 0 },
        { "plateau_wait", I64, &p->plateau.wait, 1, 0, MOST },
        { "plateau_cooldown", I64, &p->plateau.cooldown, 1, 0, MOST },
        { "learning_rate", F64, &p->learning_rate, 1, 0, MOST_RATE },
        { "sums", F64, f->sums.all, f->sums.count, -DBL_MAX, DBL_MAX },
        { 0 },
    };

    memcpy(to, fields, sizeof fields);
}

static void say_measure(struct text *out, const struct fit *f, const char *key, const struct measure_name *m)
{
    text_say(out, "%s %s%s", key, m && m->validation ? "val_" : "", m ? f->trainer->measures[m->which].name : "none");
}

/* 0 is what is said then. */
static void say_count(struct text *out, const char *key, int64_t count, const char *none)
{
    if (count)
        text_say(out, "%s %lld\n", key, (long long)count);
    else
        text_say(out, "%s %s\n", key, none);
}

/* Those of a fit's settings that its result depends on (checkpoint_about.h). */
static void say_about(struct text *out, const void *user)
{
    const struct fit *f = user;
    const struct fit_options *o = f->options;
    const struct early_stop *stop = &o->early_stop;
    const struct reduce_on_plateau *plateau = &o->reduce_on_plateau;

    say_count(out, "steps_per_epoch", o->steps_per_epoch, "all");
    say_count(out, "validation_freq", o->validation_freq, "1");
    say_count(out, "validation_steps", o->validation_steps, "all");
    say_measure(out, f, "early_stop", stop->on ? &stop->measure : NULL);
    if (stop->on) {
        text_say(out, " patience=%lld,min_delta=", (long long)stop->patience);
        decimal_say(out, stop->min_delta);
    }
    text_say(out, "\n");
    say_measure(out, f, "save_best", o->save_best);
    text_say(out, "\n");
    say_measure(out, f, "restore_best", o->restore_best);
    text_say(out, "\n");
    say_measure(out, f, "reduce_on_plateau", plateau->on ? &plateau->measure : NULL);
    if (plateau->on) {
        text_say(out, ":");
        spec_say(out, plateau_table(0), plateau, NULL);
    }
    text_say(out, "\n");
}

static struct checkpoint checkpoint_of(struct fit *f, const struct checkpoint_field *fields)
{
    return (struct checkpoint){ .fields = fields,
                                .past = &f->past,
                                .data = f->train,
                                .normalizer = f->normalizer,
                                .augmentation = f->options->augmentation,
                                .batch = f->feed.batches.options.batch,
                                .shuffle = f->options->shuffle,
                                .seed = f->options->seed,
                                .best = f->best,
                                .learning_rate = f->learning_rate,
                                .validation = f->validation,
                                .validation_normalizer = f->validation_normalizer,
                                .say = say_about,
                                .user = f,
                                .about = &f->about };
}

static bool keep_at(struct fit *f, const char *path, struct report *r)
{
    struct checkpoint_field fields[MOST_FIELDS];
    struct checkpoint c;

    list_fields(f, fields);
    c = checkpoint_of(f, fields);
    return checkpoint_save(path, f->trainer, &c, r);
}

/* Work goes on where the disk is full: there may be room the next time, and nothing is lost yet. */
static void keep(struct fit *f)
{
    const char *path = f->options->checkpoint;
    struct report r = { .files = f->report->files };

    if (path && !keep_at(f, path, &r))
        warn(f->report, path, "the checkpoint could not be written: %s", r.error.message);
}

/* -- measures -- */

static double worst(const struct trainer *t, const struct measure_name *m)
{
    return measure_lower_is_better(t, m) ? INFINITY : -INFINITY;
}

static int64_t number_of(const struct measure_name *m)
{
    return m ? 1 + 2 * (int64_t)m->which + m->validation : 0;
}

/* What was best by another measure says nothing of this one, which begins anew. */
static bool forget_other(struct fit *f, const struct measure_name *m, int64_t *of, double *best)
{
    if (*of == number_of(m))
        return false;
    *of = number_of(m);
    *best = m ? worst(f->trainer, m) : 0;
    return true;
}

static void forget_other_measures(struct fit *f)
{
    const struct fit_options *o = f->options;
    struct progress *p = &f->progress;

    if (forget_other(f, o->save_best, &p->best_of, &p->best))
        for (int64_t k = 0; k < f->past.epochs; k++)
            f->past.rows[k * f->past.width + BEST] = 0;
    if (forget_other(f, o->early_stop.on ? &o->early_stop.measure : NULL, &p->stop_of, &p->stop_best))
        p->wait = p->ended = 0;
    if (p->wait < o->early_stop.patience)
        p->ended = 0;
    forget_other(f, o->restore_best, &p->restore_of, &p->restore_best);
}

static bool resume(struct fit *f)
{
    struct checkpoint_field fields[MOST_FIELDS];
    struct checkpoint c;

    list_fields(f, fields);
    c = checkpoint_of(f, fields);
    if (!checkpoint_load(f->options->resume, f->trainer, &c, f->report))
        return false;
    if (f->options->reduce_on_plateau.on)
        f->trainer->learning_rate = f->progress.learning_rate;
    forget_other_measures(f);
    return true;
}

static bool make_room_for_epoch(struct past *p, struct budget *b, struct report *r)
{
    const size_t row = (size_t)p->width * sizeof *p->rows;
    double *more;

    if (p->epochs < p->room)
        return true;
    more = budget_zalloc(b, 2 * (size_t)p->epochs + 16, row, r);
    if (!more)
        return false;
    if (p->epochs)
        memcpy(more, p->rows, (size_t)p->epochs * row);
    budget_free(b, p->rows);
    p->rows = more;
    p->room = 2 * p->epochs + 16;
    return true;
}

static bool remember(struct fit *f, const struct epoch *e)
{
    const size_t measures = f->trainer->measure_count;
    struct past *p = &f->past;
    double *row;

    if (!make_room_for_epoch(p, &f->trainer->budget, f->report))
        return false;
    row = p->rows + p->epochs++ * p->width;
    row[SECONDS] = e->seconds;
    row[BEST] = e->best;
    row[RATE] = e->learning_rate;
    memcpy(row + MEASURES, e->train, measures * sizeof *row);
    memcpy(row + MEASURES + measures, e->validation, measures * sizeof *row);
    return true;
}

static bool tell_past(const struct fit *f)
{
    const size_t measures = f->trainer->measure_count;

    for (int64_t k = 0; f->events && f->events->past && k < f->past.epochs; k++) {
        double *row = f->past.rows + k * f->past.width;
        const struct epoch e = { .number = f->progress.epochs - f->past.epochs + 1 + k,
                                 .train = row + MEASURES,
                                 .validation = row + MEASURES + measures,
                                 .seconds = row[SECONDS],
                                 .best = row[BEST] > 0,
                                 .learning_rate = row[RATE] };

        if (!f->events->past(f->events->user, &e, f->report))
            return stopped(f->report);
    }
    return true;
}

/* -- an epoch -- */

static bool tell_step(struct fit *f, float loss)
{
    const struct progress *p = &f->progress;
    const int64_t done = sums_samples(&f->sums), of = f->samples && done > f->samples ? done : f->samples;
    const struct fit_step step = { f->trainer->steps, p->epochs + 1, done, of, loss, f->so_far };

    if (!f->events || !f->events->step)
        return true;
    sums_means(&f->sums, f->so_far);
    return f->events->step(f->events->user, &step, f->report) || stopped(f->report);
}

/* The next batch of the epoch, of the next pass where the data have ended and the epoch has not; *n is 0 at its end. */
static bool next_batch(struct fit *f, int64_t *n)
{
    const int64_t steps = f->options->steps_per_epoch;
    struct progress *p = &f->progress;

    *n = 0;
    if (steps && p->steps == steps)
        return true;
    if (!feed_next(&f->feed, n, f->report))
        return false;
    if (steps && !*n) {
        p->at = 0;
        feed_start(&f->feed, ++p->pass, 0);
        if (!feed_next(&f->feed, n, f->report))
            return false;
    }
    if (!*n && !p->at) /* of a stream that is known by now alone */
        return fail(f->report, KILN_BAD_DATA, NULL, "the model is made for %lld samples at a time, the data has fewer",
                    (long long)f->trainer->batch);
    if (!*n && !steps)
        f->samples = p->at;
    return true;
}

static bool tell_begin(struct fit *f)
{
    const struct fit_events *e = f->events;

    return !e || !e->begin || e->begin(e->user, f->progress.epochs + 1, f->report) || stopped(f->report);
}

static bool train_epoch(struct fit *f)
{
    const int64_t every = f->options->checkpoint_steps;
    struct progress *p = &f->progress;
    const double before = p->seconds, start = now();
    int64_t n;
    float loss;

    for (;;) {
        if (!next_batch(f, &n))
            return false;
        if (!n)
            return true;
        if (!trainer_step(f->trainer, f->feed.x, f->feed.y, &loss, f->report))
            return false;
        p->at += n;
        p->steps++;
        p->seconds = before + now() - start;
        sums_add(&f->sums, loss, n);
        if (!tell_step(f, loss))
            return false;
        if (every && f->trainer->steps % every == 0)
            keep(f);
    }
}

/* -- between epochs -- */

static double measured(const struct epoch *e, const struct measure_name *m)
{
    return (m->validation ? e->validation : e->train)[m->which];
}

/* A value that is no number is never better. */
static bool improves(const struct trainer *t, const struct measure_name *m, double now_, double best, double by)
{
    return measure_lower_is_better(t, m) ? now_ + by < best : now_ - by > best;
}

static bool note_best(struct fit *f, const struct measure_name *m, const struct epoch *e, double by, double *best)
{
    const double value = measured(e, m);
    const bool better = improves(f->trainer, m, value, *best, by);

    if (better)
        *best = value;
    return better;
}

/* As Keras' EarlyStopping: an epoch without validation does not count for what is measured by it. */
static void look_whether_to_end(struct fit *f, const struct epoch *e, bool validated)
{
    const struct early_stop *s = &f->options->early_stop;
    struct progress *p = &f->progress;

    if (!s->on || (s->measure.validation && !validated))
        return;
    p->wait++;
    if (note_best(f, &s->measure, e, s->min_delta, &p->stop_best))
        p->wait = 0;
    else if (p->wait >= s->patience && e->number > 1)
        p->ended = 1;
}

/* An epoch without validation does not count, either. */
static void reduce_rate(struct fit *f, const struct epoch *e, bool validated)
{
    const struct reduce_on_plateau *o = &f->options->reduce_on_plateau;
    struct progress *p = &f->progress;

    if (o->on && (validated || !o->measure.validation))
        plateau_epoch(&p->plateau, o, f->trainer, measured(e, &o->measure));
    p->learning_rate = f->trainer->learning_rate;
}

static bool validate(struct fit *f, struct epoch *e, bool *validated)
{
    const int64_t every = f->options->validation_freq;

    for (size_t k = 0; k < f->trainer->measure_count; k++)
        e->validation[k] = (double)NAN;
    *validated = f->validation && (!every || e->number % every == 0);
    return !*validated || trainer_evaluate_some(f->trainer, f->validation, f->validation_normalizer, f->options->batch,
                                                f->options->validation_steps, e->validation, f->report);
}

/* The next epoch begins where this one ended: with the next pass over the data, or further on in the same. */
static void begin_epoch(struct fit *f)
{
    struct progress *p = &f->progress;

    if (!f->options->steps_per_epoch) {
        p->pass++;
        p->at = 0;
    }
    p->epochs++;
    p->steps = 0;
    p->seconds = 0;
    sums_start(&f->sums);
}

static bool end_epoch(struct fit *f)
{
    const struct fit_options *o = f->options;
    struct progress *p = &f->progress;
    struct epoch e = { .number = p->epochs + 1, .train = f->train_means, .validation = f->val_means, .best = true };
    const double start = now();
    bool validated;

    sums_means(&f->sums, e.train);
    if (!validate(f, &e, &validated))
        return false;
    e.seconds = p->seconds + now() - start;
    e.learning_rate = trainer_learning_rate(f->trainer);
    if (o->save_best)
        e.best = note_best(f, o->save_best, &e, 0, &p->best);
    if (o->restore_best && note_best(f, o->restore_best, &e, 0, &p->restore_best))
        snapshot_take(f->trainer, f->best);
    look_whether_to_end(f, &e, validated);
    reduce_rate(f, &e, validated);
    if (!remember(f, &e))
        return false;
    begin_epoch(f);
    if (f->events && f->events->epoch && !f->events->epoch(f->events->user, &e, f->report))
        return stopped(f->report);
    keep(f);
    return true;
}

static void restore_best(struct fit *f)
{
    if (f->best && isfinite(f->progress.restore_best))
        trainer_restore(f->trainer, f->best);
}

static bool run_epochs(struct fit *f)
{
    while (f->progress.epochs < f->options->epochs && !f->progress.ended) {
        feed_start(&f->feed, f->progress.pass, f->progress.at);
        if (!tell_begin(f) || !train_epoch(f) || !end_epoch(f))
            return false;
    }
    trainer_finalize(f->trainer); /* then Keras' callbacks */
    restore_best(f);
    return true;
}

/* -- before -- */

static bool check_numbers(const struct fit *f)
{
    const struct fit_options *o = f->options;
    const struct {
        const char *name;
        int64_t got, least;
    } numbers[] = { { "batch", o->batch, 1 },
                    { "epochs", o->epochs, 0 },
                    { "initial_epoch", o->initial_epoch, 0 },
                    { "steps_per_epoch", o->steps_per_epoch, 0 },
                    { "validation_freq", o->validation_freq, 0 },
                    { "validation_steps", o->validation_steps, 0 },
                    { "checkpoint_steps", o->checkpoint_steps, 0 } };

    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (numbers[k].got < numbers[k].least)
            return fail(f->report, KILN_BAD_ARGUMENT, NULL, "%s is %lld, must be at least %lld", numbers[k].name,
                        (long long)numbers[k].got, (long long)numbers[k].least);
    return true;
}

static bool check_options(const struct fit *f)
{
    const struct fit_options *o = f->options;
    const struct measure_name *asked[] = { o->save_best, o->early_stop.on ? &o->early_stop.measure : NULL,
                                           o->restore_best,
                                           o->reduce_on_plateau.on ? &o->reduce_on_plateau.measure : NULL };

    for (size_t k = 0; k < sizeof asked / sizeof *asked; k++)
        if (asked[k] && asked[k]->validation && !f->validation)
            return fail(f->report, KILN_BAD_ARGUMENT, NULL, "metric 'val_%s' needs validation data",
                        f->trainer->measures[asked[k]->which].name);
    return check_numbers(f);
}

/* Epochs that lie behind have seen data, too. */
static bool begin(struct fit *f)
{
    const struct fit_options *o = f->options;
    const int64_t batch = f->feed.batches.options.batch, count = dataset_most(f->train);
    const int64_t of_pass = count / batch + (!f->trainer->batch && count % batch);
    struct progress *p = &f->progress;
    int64_t behind = 0;

    *p = (struct progress){ .epochs = o->initial_epoch, .pass = o->initial_epoch };
    f->samples = f->train->count == UNKNOWN ? 0 : count / batch < of_pass ? count : of_pass * batch;
    forget_other_measures(f);
    p->learning_rate = f->learning_rate = f->trainer->learning_rate;
    plateau_begin(&p->plateau, &o->reduce_on_plateau, f->trainer);
    if (!o->steps_per_epoch)
        return true;
    if (!mul_size(o->initial_epoch, o->steps_per_epoch, &behind) || !mul_size(o->steps_per_epoch, batch, &f->samples))
        return fail(f->report, KILN_BAD_ARGUMENT, NULL, "%lld epochs of %lld steps are more than can be counted",
                    (long long)o->initial_epoch, (long long)o->steps_per_epoch);
    if (behind && f->train->count == UNKNOWN)
        return fail(
            f->report, KILN_BAD_ARGUMENT, NULL,
            "initial_epoch with steps_per_epoch needs to know how many samples the data have, which this stream "
            "does not tell: a checkpoint knows where it was");
    p->pass = behind / of_pass;
    p->at = behind % of_pass * batch;
    return true;
}

static bool make_room(struct fit *f, struct arena *memory)
{
    struct trainer *t = f->trainer;

    f->so_far = arena_array(memory, t->measure_count, sizeof *f->so_far, f->report);
    f->train_means = arena_array(memory, t->measure_count, sizeof *f->train_means, f->report);
    f->val_means = arena_array(memory, t->measure_count, sizeof *f->val_means, f->report);
    if (f->options->restore_best && !(f->best = trainer_snapshot(t, true, f->report)))
        return false;
    return f->so_far && f->train_means && f->val_means;
}

/* Is there nothing among what is to be predicted that no step could take? */
static bool check_validation(struct fit *f, int64_t batch)
{
    const struct batch_options o = { .batch = batch };
    struct feed feed;
    bool ok;

    if (!f->validation || f->validation->stream)
        return true;
    if (!feed_init(&feed, f->trainer, f->validation, f->validation_normalizer, &o, f->report))
        return false;
    ok = batches_check(&feed.batches, f->report);
    feed_release(&feed);
    return ok;
}

static bool start_feed(struct fit *f, const struct batch_options *o, int64_t checked)
{
    if (!feed_init(&f->feed, f->trainer, f->train, f->normalizer, o, f->report))
        return false;
    if (batches_check(&f->feed.batches, f->report) && check_validation(f, checked))
        return true;
    feed_release(&f->feed);
    return false;
}

/* All that can be told before an epoch is lost. */
static bool start(struct fit *f)
{
    struct trainer *t = f->trainer;
    struct batch_options b = { .shuffle = f->options->shuffle,
                               .seed = f->options->seed,
                               .augmentation = f->options->augmentation };
    int64_t checked = 0;

    if (!batch_size(f->options->batch, t->batch, dataset_most(f->train), &b.batch, f->report) ||
        (f->validation && !batch_size(f->options->batch, t->batch, dataset_most(f->validation), &checked, f->report)))
        return false;
    return sums_init(&f->sums, t, true, f->report) && start_feed(f, &b, checked);
}

static bool run(struct fit *f)
{
    const struct fit_events *e = f->events;
    struct lag lag;
    bool ok;

    if (!begin(f))
        return false;
    if (f->options->resume && !resume(f))
        return false;
    if (f->progress.epochs > f->options->epochs)
        return fail(f->report, KILN_BAD_ARGUMENT, NULL,
                    "%lld epochs lie behind, and epochs is %lld: it counts them, too", (long long)f->progress.epochs,
                    (long long)f->options->epochs);
    if (f->options->checkpoint && !f->options->resume && !keep_at(f, f->options->checkpoint, f->report))
        return false; /* before an epoch is lost */
    if (!tell_past(f))
        return false;
    ok = !e || !e->start || e->start(e->user, f->progress.epochs, f->trainer->steps, f->report) || stopped(f->report);
    lag_begin(&lag, f->trainer);
    ok = ok && run_epochs(f);
    if (ok)
        lag_tell(&lag, f->trainer, f->report);
    if (!ok && failed(f->report) && (f->report->error.code == KILN_STOPPED || f->feed.ended))
        keep(f);
    if (!ok && failed(f->report) && f->report->error.code == KILN_RUN_FAILED)
        restore_best(f); /* what it was when that was best is worth more than what made the loss no number */
    return ok;
}

bool trainer_fit(struct trainer *t, const struct dataset *train, const struct dataset *validation,
                 const struct normalizer *normalizer, const struct fit_options *o, const struct fit_events *events,
                 int64_t *ran, struct report *r)
{
    struct fit f = { .trainer = t,
                     .train = train,
                     .validation = validation,
                     .normalizer = normalizer,
                     .validation_normalizer = o->validation_normalizer ? o->validation_normalizer : normalizer,
                     .options = o,
                     .events = events,
                     .past.width = MEASURES + 2 * (int64_t)t->measure_count,
                     .about.budget = &t->budget,
                     .report = r };
    struct arena memory = { .budget = &t->budget };
    bool ok;

    ok = check_options(&f) && make_room(&f, &memory) && start(&f);
    if (ok) {
        ok = run(&f);
        feed_release(&f.feed);
    }
    *ran = f.progress.epochs;
    sums_release(&f.sums);
    snapshot_free(t, f.best);
    budget_free(&t->budget, f.past.rows);
    text_release(&f.about);
    arena_release(&memory);
    return ok;
}
