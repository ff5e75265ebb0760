#include "train/fit.h"
#include "train/batch_size.h"
#include "train/confusion.h"
#include <math.h>
#include <string.h>
#include <time.h>

/* -- measures -- */

static double measured(const struct epoch *e, const struct measure_name *m)
{
    return (m->validation ? e->validation : e->train)[m->which];
}

/* -- sums over batches -- */

struct sums {
    const struct trainer *trainer;
    double loss; /* weighted by samples */
    int64_t samples;
    struct target_sums {
        double loss;
        double *metric; /* [counted->sums] */
        const struct metrics *counted;
        int64_t rows;
    } * of; /* by target */
    struct arena memory;
};

static bool sums_init(struct sums *s, struct trainer *t, bool training, struct report *r)
{
    *s = (struct sums){ .trainer = t, .memory.budget = &t->budget };
    s->of = arena_array(&s->memory, t->target_count, sizeof *s->of, r);
    for (size_t k = 0; s->of && k < t->target_count; k++) {
        s->of[k].counted = training ? &t->targets[k].metrics : t->targets[k].evaluated;
        s->of[k].metric = arena_array(&s->memory, (size_t)s->of[k].counted->sums, sizeof(double), r);
        if (!s->of[k].metric)
            s->of = NULL;
    }
    return s->of;
}

static void sums_release(struct sums *s)
{
    arena_release(&s->memory);
}

static void sums_start(struct sums *s)
{
    s->loss = 0;
    s->samples = 0;
    for (size_t k = 0; k < s->trainer->target_count; k++) {
        struct target_sums *of = &s->of[k];

        of->loss = 0;
        of->rows = 0;
        memset(of->metric, 0, (size_t)of->counted->sums * sizeof *of->metric);
    }
}

static void add_sums(struct sums *s, float loss, int64_t samples)
{
    const struct trainer *t = s->trainer;

    s->loss += (double)loss * (double)samples;
    s->samples += samples;
    for (size_t k = 0; k < t->target_count; k++) {
        s->of[k].loss += (double)t->result[k].loss * (double)samples;
        for (int64_t m = 0; m < s->of[k].counted->sums; m++)
            s->of[k].metric[m] += t->result[k].metric[m];
        s->of[k].rows += t->result[k].rows;
    }
}

static double mean(double sum, int64_t count)
{
    return count ? sum / (double)count : (double)NAN;
}

static void means(const struct sums *s, double *out)
{
    const struct trainer *t = s->trainer;

    for (size_t k = 0; k < t->measure_count; k++) {
        const struct measure *m = &t->measures[k];

        if (m->target < 0)
            out[k] = mean(s->loss, s->samples);
        else if (m->metric < 0)
            out[k] = mean(s->of[m->target].loss, s->samples);
        else
            out[k] = metric_finish(&t->targets[m->target].metrics, (size_t)m->metric, s->of[m->target].metric,
                                   s->of[m->target].rows);
    }
}

/* -- batches in memory -- */

struct feed {
    struct batches batches;
    struct tensor *x, *y;    /* [inputs], [targets] of the trainer */
    void **x_data, **y_data; /* where they lie */
    struct trainer *trainer;
    struct arena memory;
    bool weighted;       /* the data have weights: a column behind the others, */
    struct dataset data; /* in this view */
    size_t columns;      /* of y that a batch has */
};

static bool make_room(struct feed *f, struct tensor **tensors, void ***data, const struct batch_column *c, size_t count,
                      struct report *r)
{
    *tensors = arena_array(&f->memory, count, sizeof **tensors, r);
    *data = arena_array(&f->memory, count, sizeof **data, r);
    for (size_t k = 0; *tensors && *data && k < count; k++) {
        (*tensors)[k] = c[k].type;
        (*tensors)[k].data = (*data)[k] = arena_alloc(&f->memory, (size_t)tensor_bytes(&c[k].type), r);
        if (!(*data)[k])
            return false;
    }
    return *tensors && *data;
}

/* The weights of samples become a column to be predicted, behind those that the trainer asks for. */
static bool add_weights(struct feed *f, const struct dataset *d, struct batch_request *q, struct column_request *y,
                        struct report *r)
{
    static const char name[] = "kiln.weights";
    struct column *columns = arena_array(&f->memory, d->targets + 1, sizeof *columns, r);

    if (!columns)
        return false;
    memcpy(columns, d->y, d->targets * sizeof *columns);
    if (!columns->name) /* the only one is for whatever is asked */
        columns->name = y->name;
    columns[d->targets] = d->weights;
    columns[d->targets].name = name;
    y[q->targets++] = (struct column_request){ .name = name, .type = &f->trainer->weight_type };
    f->data.y = columns;
    f->data.targets++;
    return true;
}

/* What the trainer asks the data for. */
static bool request(struct batch_request *q, struct trainer *t, struct arena *memory, struct report *r)
{
    struct column_request *x = arena_array(memory, t->inputs, sizeof *x, r);
    struct column_request *y = arena_array(memory, t->target_count + 1, sizeof *y, r); /* weights, too */

    if (!x || !y)
        return false;
    for (size_t k = 0; k < t->inputs; k++)
        x[k] = (struct column_request){ .name = t->model->graph->inputs[k]->name, .type = &t->x[k] };
    for (size_t k = 0; k < t->target_count; k++)
        y[k] = (struct column_request){ .name = t->targets[k].output->name,
                                        .type = &t->targets[k].y,
                                        .classes = t->targets[k].loss.classes,
                                        .class_axis = t->targets[k].loss.axis,
                                        .probabilities = t->targets[k].loss.def->labels == LABELS_PROBABILITIES };
    *q = (struct batch_request){ t->inputs, t->target_count, x, y };
    return true;
}

static void feed_release(struct feed *f)
{
    f->trainer->weights = (struct tensor){ 0 };
    batches_release(&f->batches);
    arena_release(&f->memory);
}

static bool feed_init(struct feed *f, struct trainer *t, const struct dataset *d, const struct normalizer *n,
                      const struct batch_options *o, struct report *r)
{
    struct batch_request q;

    *f = (struct feed){ .trainer = t, .memory.budget = &t->budget, .data = *d };
    f->weighted = t->weighted && d->weights.values.data;
    if (request(&q, t, &f->memory, r) &&
        (!f->weighted || add_weights(f, d, &q, (struct column_request *)(uintptr_t)q.target, r)) &&
        batches_init(&f->batches, &f->data, n, &q, o, &t->budget, r)) {
        f->columns = q.targets;
        if (make_room(f, &f->x, &f->x_data, f->batches.x, t->inputs, r) &&
            make_room(f, &f->y, &f->y_data, f->batches.y, f->columns, r))
            return true;
        batches_release(&f->batches);
    }
    arena_release(&f->memory);
    return false;
}

static bool feed_next(struct feed *f, int64_t *count, struct report *r)
{
    if (!batches_next(&f->batches, f->x_data, f->y_data, count, r))
        return false;
    if (*count < f->trainer->batch)
        *count = 0; /* the model does not take an incomplete batch */
    for (size_t k = 0; k < f->trainer->inputs; k++)
        f->x[k].dims[0] = *count;
    for (size_t k = 0; k < f->columns; k++)
        f->y[k].dims[0] = *count;
    f->trainer->weights = f->weighted ? f->y[f->columns - 1] : (struct tensor){ 0 };
    return true;
}

static bool evaluate(struct feed *f, struct sums *s, double *out, struct report *r)
{
    int64_t n = 0;
    float loss;
    bool ok;

    sums_start(s);
    batches_start(&f->batches, 0);
    while ((ok = feed_next(f, &n, r)) && n && (ok = trainer_evaluate_batch(f->trainer, f->x, f->y, &loss, r)))
        add_sums(s, loss, n);
    means(s, out);
    return ok;
}

static bool evaluate_all(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                         int64_t batch, struct sums *s, double *out, struct report *r)
{
    struct batch_options o = { 0 };
    struct feed f;
    bool ok;

    if (!batch_size(batch, t->batch, data->count, &o.batch, r) || !sums_init(s, t, false, r) ||
        !feed_init(&f, t, data, normalizer, &o, r))
        return false;
    ok = evaluate(&f, s, out, r);
    feed_release(&f);
    return ok;
}

bool trainer_evaluate(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer, int64_t batch,
                      double *out, struct report *r)
{
    struct sums s = { 0 };
    const bool ok = evaluate_all(t, data, normalizer, batch, &s, out, r);

    sums_release(&s);
    return ok;
}

bool trainer_confusion(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                       int64_t batch, size_t target, double *out, struct confusion_matrix *matrix, struct report *r)
{
    struct sums s = { 0 };
    struct confusion c;
    bool ok = confusion_begin(&c, t, target, r);

    *matrix = (struct confusion_matrix){ .classes = c.classes };
    if (ok)
        matrix->counts = budget_zalloc(&t->budget, (size_t)c.classes * (size_t)c.classes, sizeof *matrix->counts, r);
    ok = matrix->counts && evaluate_all(t, data, normalizer, batch, &s, out, r);
    if (ok)
        confusion_read(&c, s.of[target].metric, matrix->counts);
    sums_release(&s);
    confusion_end(&c);
    return ok;
}

/* -- epochs -- */

struct fit {
    struct trainer *trainer;
    struct feed feed;
    struct sums sums;
    double *so_far, *train, *validation; /* by measure */
    const struct fit_options *options;
    const struct fit_events *events;
    int64_t samples; /* of the training set, that an epoch sees */
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

static bool tell_step(struct fit *f, const struct epoch *e, float loss)
{
    const struct fit_step step = { f->trainer->steps, e->number, f->sums.samples, f->samples, loss, f->so_far };

    if (!f->events || !f->events->step)
        return true;
    means(&f->sums, f->so_far);
    return f->events->step(f->events->user, &step, f->report) || stopped(f->report);
}

static bool train_epoch(struct fit *f, struct epoch *e)
{
    int64_t n;
    float loss;

    sums_start(&f->sums);
    batches_start(&f->feed.batches, (uint64_t)e->number - 1);
    for (;;) {
        if (!feed_next(&f->feed, &n, f->report))
            return false;
        if (!n)
            break;
        if (!trainer_step(f->trainer, f->feed.x, f->feed.y, &loss, f->report))
            return false;
        add_sums(&f->sums, loss, n);
        if (!tell_step(f, e, loss))
            return false;
    }
    means(&f->sums, e->train);
    return true;
}

/* A value that is no number is never better. */
static bool improves(const struct trainer *t, const struct measure_name *m, double now_, double best)
{
    return measure_lower_is_better(t, m) ? now_ < best : now_ > best;
}

static double worst(const struct trainer *t, const struct measure_name *m)
{
    return measure_lower_is_better(t, m) ? INFINITY : -INFINITY;
}

static bool check_measures(const struct trainer *t, const struct fit_options *o, const struct dataset *validation,
                           struct report *r)
{
    const struct measure_name *asked[] = { o->save_best, o->early_stop.on ? &o->early_stop.measure : NULL };

    for (int k = 0; k < 2; k++)
        if (asked[k] && asked[k]->validation && !validation)
            return fail(r, KILN_BAD_ARGUMENT, NULL, "metric 'val_%s' needs validation data",
                        t->measures[asked[k]->which].name);
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
    const struct trainer *t = f->trainer;
    double best = o->save_best ? worst(t, o->save_best) : 0, waited_best = worst(t, &stop->measure);
    int64_t wait = 0;

    for (int64_t k = 1; k <= o->epochs; k++) {
        struct epoch e = { .number = k, .train = f->train, .validation = f->validation, .best = true };
        const double start = now();

        if (!train_epoch(f, &e))
            return false;
        if (validation && !trainer_evaluate(f->trainer, validation, normalizer, o->batch, e.validation, f->report))
            return false;
        e.seconds = now() - start;
        if (o->save_best) {
            e.best = improves(t, o->save_best, measured(&e, o->save_best), best);
            best = e.best ? measured(&e, o->save_best) : best;
        }
        *ran = k;
        if (f->events && f->events->epoch && !f->events->epoch(f->events->user, &e, f->report))
            return stopped(f->report);
        wait++;
        if (stop->on && improves(t, &stop->measure, measured(&e, &stop->measure), waited_best)) {
            waited_best = measured(&e, &stop->measure);
            wait = 0;
        } else if (stop->on && wait >= stop->patience && k > 1) {
            break;
        }
    }
    return true;
}

/* What an epoch tells, and what it takes. */
static bool start(struct fit *f, const struct dataset *train, const struct dataset *validation,
                  const struct normalizer *normalizer, struct arena *memory)
{
    struct trainer *t = f->trainer;
    struct batch_options b = { .shuffle = f->options->shuffle, .seed = f->options->seed };
    int64_t checked;

    if (!batch_size(f->options->batch, t->batch, train->count, &b.batch, f->report) ||
        (validation && !batch_size(f->options->batch, t->batch, validation->count, &checked, f->report)))
        return false; /* before an epoch is lost */
    f->samples = t->batch ? train->count / t->batch * t->batch : train->count;
    f->so_far = arena_array(memory, t->measure_count, sizeof *f->so_far, f->report);
    f->train = arena_array(memory, t->measure_count, sizeof *f->train, f->report);
    f->validation = arena_array(memory, t->measure_count, sizeof *f->validation, f->report);
    for (size_t k = 0; f->validation && k < t->measure_count; k++)
        f->validation[k] = (double)NAN;
    return f->so_far && f->train && f->validation && sums_init(&f->sums, t, true, f->report) &&
           feed_init(&f->feed, t, train, normalizer, &b, f->report);
}

bool trainer_fit(struct trainer *t, const struct dataset *train, const struct dataset *validation,
                 const struct normalizer *normalizer, const struct fit_options *o, const struct fit_events *events,
                 int64_t *ran, struct report *r)
{
    const struct normalizer *check = o->validation_normalizer ? o->validation_normalizer : normalizer;
    struct fit f = { .trainer = t, .options = o, .events = events, .report = r };
    struct arena memory = { .budget = &t->budget };
    bool ok;

    *ran = 0;
    ok = check_measures(t, o, validation, r) && start(&f, train, validation, normalizer, &memory);
    if (ok) {
        ok = run_epochs(&f, validation, check, ran);
        feed_release(&f.feed);
    }
    sums_release(&f.sums);
    arena_release(&memory);
    return ok;
}
