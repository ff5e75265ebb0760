#include "train/fit.h"
#include <math.h>
#include <string.h>
#include <time.h>

/* -- measures -- */

enum { LOSS }; /* the first of them */

const char *measure_name(int which)
{
    return which == LOSS ? "loss" : metric_registry[which - 1]->row.name;
}

static bool lower_is_better(int which)
{
    return which == LOSS || metric_registry[which - 1]->lower_is_better;
}

bool measure_applies(const struct trainer *t, const struct dataset *data, int which)
{
    return which == LOSS || metric_registry[which - 1]->applies(t->loss.def, dataset_has_labels(data));
}

void measure_names(struct text *out)
{
    for (int k = 0; k < 2 * MEASURES; k++) {
        spec_comma(out, (size_t)k, 2 * MEASURES);
        text_printf(out, "%s%s", k < MEASURES ? "" : "val_", measure_name(k % MEASURES));
    }
}

bool measure_parse(struct measure *out, const char *name, size_t length, struct report *r)
{
    const bool validation = length > 4 && strncmp(name, "val_", 4) == 0;
    const char *rest = name + 4 * validation;
    struct budget b = { 0 };
    struct text names = { .budget = &b };

    *out = (struct measure){ 0, validation };
    for (; out->which < MEASURES; out->which++)
        if (strlen(measure_name(out->which)) == length - 4 * validation &&
            strncmp(measure_name(out->which), rest, length - 4 * validation) == 0)
            return true;
    measure_names(&names);
    fail(r, KILN_BAD_ARGUMENT, NULL, "metric '%.*s' is unknown%s%s", (int)(length > 60 ? 60 : length), name,
         names.failed ? "" : ", must be ", names.failed ? "" : names.data);
    text_release(&names);
    return false;
}

static double measured(const struct epoch *e, const struct measure *m)
{
    return (m->validation ? &e->validation : &e->train)->value[m->which];
}

/* -- sums over batches -- */

struct sums {
    double loss; /* weighted by samples */
    double metric[METRIC_COUNT];
    int64_t samples, rows;
};

static void add_sums(struct sums *s, const struct step_result *b, int64_t samples)
{
    s->loss += (double)b->loss * (double)samples;
    s->samples += samples;
    for (int m = 0; m < METRIC_COUNT; m++)
        s->metric[m] += b->metric[m];
    s->rows += b->rows;
}

static struct scores means(const struct sums *s)
{
    struct scores out;

    out.value[LOSS] = s->samples ? s->loss / (double)s->samples : NAN;
    for (int m = 0; m < METRIC_COUNT; m++)
        out.value[1 + m] = s->rows ? s->metric[m] / (double)s->rows : NAN;
    return out;
}

static struct scores no_scores(void)
{
    return means(&(struct sums){ 0 });
}

/* -- batches in memory -- */

struct feed {
    struct batches batches;
    struct tensor x, y;
    struct trainer *trainer;
};

static bool feed_init(struct feed *f, struct trainer *t, const struct dataset *d, const struct normalizer *n,
                      const struct batch_options *o, struct report *r)
{
    *f = (struct feed){ .trainer = t };
    if (!batches_init(&f->batches, d, n, &t->x, &t->y, o, &t->budget, r))
        return false;
    f->x = f->batches.x;
    f->y = f->batches.y;
    f->x.dims[0] = f->y.dims[0] = o->batch;
    f->x.data = budget_alloc(&t->budget, (size_t)tensor_bytes(&f->x), r);
    f->y.data = f->x.data ? budget_alloc(&t->budget, (size_t)tensor_bytes(&f->y), r) : NULL;
    if (f->y.data)
        return true;
    budget_free(&t->budget, f->x.data);
    batches_release(&f->batches);
    return false;
}

static void feed_release(struct feed *f)
{
    budget_free(&f->trainer->budget, f->x.data);
    budget_free(&f->trainer->budget, f->y.data);
    batches_release(&f->batches);
}

static bool feed_next(struct feed *f, int64_t *count, struct report *r)
{
    if (!batches_next(&f->batches, f->x.data, f->y.data, count, r))
        return false;
    f->x.dims[0] = f->y.dims[0] = *count;
    return true;
}

bool trainer_evaluate(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer, int64_t batch,
                      struct scores *out, struct report *r)
{
    const struct batch_options o = { .batch = batch < data->count ? batch : data->count };
    struct step_result b;
    struct sums s = { 0 };
    struct feed f;
    int64_t n = 0;
    bool ok;

    if (!feed_init(&f, t, data, normalizer, &o, r))
        return false;
    batches_start(&f.batches, 0);
    while ((ok = feed_next(&f, &n, r)) && n && (ok = trainer_evaluate_batch(t, &f.x, &f.y, &b, r)))
        add_sums(&s, &b, n);
    feed_release(&f);
    *out = means(&s);
    return ok;
}

/* -- epochs -- */

struct fit {
    struct trainer *trainer;
    struct feed feed;
    const struct fit_options *options;
    const struct fit_events *events;
    int64_t samples; /* of the training set */
    struct report *report;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool stopped(struct report *r)
{
    return failed(r) ? false : fail(r, KILN_STOPPED, NULL, "stopped");
}

static bool train_epoch(struct fit *f, struct epoch *e)
{
    struct step_result b;
    struct sums s = { 0 };
    int64_t n;

    batches_start(&f->feed.batches, (uint64_t)e->number - 1);
    for (;;) {
        if (!feed_next(&f->feed, &n, f->report))
            return false;
        if (!n)
            break;
        if (!trainer_step(f->trainer, &f->feed.x, &f->feed.y, &b, f->report))
            return false;
        add_sums(&s, &b, n);
        if (f->events && f->events->step) {
            const struct fit_step step = { f->trainer->steps, e->number, s.samples, f->samples, b.loss, means(&s) };

            if (!f->events->step(f->events->user, &step, f->report))
                return stopped(f->report);
        }
    }
    e->train = means(&s);
    return true;
}

/* A value that is no number is never better. */
static bool improves(const struct measure *m, double now_, double best)
{
    return lower_is_better(m->which) ? now_ < best : now_ > best;
}

static double worst(const struct measure *m)
{
    return lower_is_better(m->which) ? INFINITY : -INFINITY;
}

static bool check_measures(const struct fit_options *o, const struct dataset *validation, struct report *r)
{
    const struct measure *asked[] = { o->save_best, o->early_stop.on ? &o->early_stop.measure : NULL };

    for (int k = 0; k < 2; k++)
        if (asked[k] && asked[k]->validation && !validation)
            return fail(r, KILN_BAD_ARGUMENT, NULL, "metric 'val_%s' needs validation data",
                        measure_name(asked[k]->which));
    if (o->batch < 1 || o->epochs < 0)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "batch is %lld and epochs %lld, must be at least 1 and 0",
                    (long long)o->batch, (long long)o->epochs);
    return true;
}

static bool run_epochs(struct fit *f, const struct dataset *validation, const struct normalizer *normalizer,
                       int64_t *ran)
{
    const struct fit_options *o = f->options;
    const struct early_stop *stop = &o->early_stop;
    double best = o->save_best ? worst(o->save_best) : 0, waited_best = worst(&stop->measure);
    int64_t wait = 0;

    for (int64_t k = 1; k <= o->epochs; k++) {
        struct epoch e = { .number = k, .train = no_scores(), .validation = no_scores(), .best = true };
        const double start = now();

        if (!train_epoch(f, &e))
            return false;
        if (validation && !trainer_evaluate(f->trainer, validation, normalizer, o->batch, &e.validation, f->report))
            return false;
        e.seconds = now() - start;
        if (o->save_best) {
            e.best = improves(o->save_best, measured(&e, o->save_best), best);
            best = e.best ? measured(&e, o->save_best) : best;
        }
        *ran = k;
        if (f->events && f->events->epoch && !f->events->epoch(f->events->user, &e, f->report))
            return stopped(f->report);
        wait++;
        if (stop->on && improves(&stop->measure, measured(&e, &stop->measure), waited_best)) {
            waited_best = measured(&e, &stop->measure);
            wait = 0;
        } else if (stop->on && wait >= stop->patience && k > 1) {
            break;
        }
    }
    return true;
}

bool trainer_fit(struct trainer *t, const struct dataset *train, const struct dataset *validation,
                 const struct normalizer *normalizer, const struct fit_options *o, const struct fit_events *events,
                 int64_t *ran, struct report *r)
{
    const struct batch_options b = { .batch = o->batch < train->count ? o->batch : train->count,
                                     .shuffle = o->shuffle,
                                     .seed = o->seed };
    const struct normalizer *check = o->validation_normalizer ? o->validation_normalizer : normalizer;
    struct fit f = { .trainer = t, .options = o, .events = events, .samples = train->count, .report = r };
    bool ok;

    *ran = 0;
    if (!check_measures(o, validation, r) || !feed_init(&f.feed, t, train, normalizer, &b, r))
        return false;
    ok = run_epochs(&f, validation, check, ran);
    feed_release(&f.feed);
    return ok;
}
