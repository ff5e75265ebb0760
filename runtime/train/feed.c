#include "train/feed.h"
#include <math.h>
#include <string.h>

/* -- sums over batches -- */

enum { LOSS, SAMPLES, TARGETS }; /* in sums.all; TARGETS: where the first target begins */
enum { ROWS = 1, METRICS };      /* of a target, behind its LOSS */

static bool add_targets(struct sums *s, struct trainer *t, bool training, struct report *r)
{
    s->target = arena_array(&s->memory, t->target_count, sizeof *s->target, r);
    s->count = TARGETS;
    for (size_t k = 0; s->target && k < t->target_count; k++) {
        s->target[k].counted = training ? &t->targets[k].metrics : t->targets[k].evaluated;
        s->count += METRICS + s->target[k].counted->sums;
    }
    return s->target;
}

bool sums_init(struct sums *s, struct trainer *t, bool training, struct report *r)
{
    int64_t at = TARGETS;

    *s = (struct sums){ .trainer = t, .memory.budget = &t->budget };
    s->all = add_targets(s, t, training, r) ? arena_array(&s->memory, (size_t)s->count, sizeof *s->all, r) : NULL;
    for (size_t k = 0; s->all && k < t->target_count; k++) {
        s->target[k].of = s->all + at;
        at += METRICS + s->target[k].counted->sums;
    }
    return s->all;
}

void sums_release(struct sums *s)
{
    arena_release(&s->memory);
}

void sums_start(struct sums *s)
{
    memset(s->all, 0, (size_t)s->count * sizeof *s->all);
}

void sums_add(struct sums *s, float loss, int64_t samples)
{
    const struct trainer *t = s->trainer;

    s->all[LOSS] += (double)loss * (double)samples;
    s->all[SAMPLES] += (double)samples;
    for (size_t k = 0; k < t->target_count; k++) {
        double *of = s->target[k].of;

        of[LOSS] += (double)t->result[k].loss * (double)samples;
        of[ROWS] += (double)t->result[k].rows;
        metrics_merge(s->target[k].counted, of + METRICS, t->result[k].metric);
    }
}

const double *sums_of_metrics(const struct sums *s, size_t k)
{
    return s->target[k].of + METRICS;
}

int64_t sums_samples(const struct sums *s)
{
    return (int64_t)s->all[SAMPLES];
}

static double mean(double sum, double count)
{
    return count > 0 ? sum / count : (double)NAN;
}

void sums_means(const struct sums *s, double *out)
{
    const struct trainer *t = s->trainer;

    for (size_t k = 0; k < t->measure_count; k++) {
        const struct measure *m = &t->measures[k];
        const double *of = m->target < 0 ? s->all : s->target[m->target].of;

        if (m->metric < 0)
            out[k] = mean(of[LOSS], s->all[SAMPLES]);
        else
            out[k] = metric_finish(&t->targets[m->target].metrics, (size_t)m->metric, of + METRICS, (int64_t)of[ROWS]);
    }
}

/* -- batches -- */

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

static bool make_rooms(struct feed *f, struct report *r)
{
    for (int k = 0; k < (f->helper ? 2 : 1); k++) {
        struct feed_batch *b = &f->batch[k];

        if (!make_room(f, &b->x, &b->x_data, f->batches.x, f->batches.inputs, r) ||
            !make_room(f, &b->y, &b->y_data, f->batches.y, f->batches.targets, r))
            return false;
    }
    return true;
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
    for (size_t k = 0; k < t->target_count; k++) {
        const struct loss *l = &t->targets[k].loss;

        y[k] = (struct column_request){ .name = t->targets[k].output->name,
                                        .type = &t->targets[k].y,
                                        .classes = l->classes,
                                        .class_axis = l->axis,
                                        .probabilities = l->def->labels == LABELS_PROBABILITIES };
        y[k].ignores = loss_ignores(l->def, l->settings, &y[k].ignored);
    }
    *q = (struct batch_request){ t->inputs, t->target_count, x, y };
    return true;
}

bool feed_fits(struct trainer *t, const struct dataset *d, struct report *r)
{
    struct arena scratch = { .budget = &t->budget };
    struct batch_request q;
    struct batches b;
    const bool ok = d->stream || (request(&q, t, &scratch, r) &&
                                  batches_init(&b, d, NULL, &q, &(struct batch_options){ .batch = 1 }, &t->budget, r));

    if (ok && !d->stream)
        batches_release(&b);
    arena_release(&scratch);
    return ok;
}

void feed_release(struct feed *f)
{
    f->trainer->weights = (struct tensor){ 0 };
    helper_free(f->helper);
    batches_release(&f->batches);
    pool_free(f->pool);
    arena_release(&f->memory);
}

/* Who has asked for one thread has one. */
static bool make_threads(struct feed *f, const struct batch_options *o, struct report *r)
{
    const struct pool *pool = f->trainer->engine.pool;

    if (pool_threads(pool) == 1)
        return true;
    f->helper = helper_new(&f->budget, r);
    if (f->helper && o->augmentation)
        f->pool = pool_share(pool, &f->budget, r);
    return f->helper && (f->pool || !o->augmentation);
}

bool feed_init(struct feed *f, struct trainer *t, const struct dataset *d, const struct normalizer *n,
               const struct batch_options *o, struct report *r)
{
    struct batch_options options = *o;
    struct batch_request q;

    *f = (struct feed){ .trainer = t, .memory.budget = &t->budget, .budget = budget_within(&t->budget), .data = *d };
    f->weighted = t->weighted && dataset_is_weighted(d);
    f->reading = f->budget;
    f->reading.seconds = 0;
    if (make_threads(f, o, r) && request(&q, t, &f->memory, r) &&
        (!f->weighted || add_weights(f, d, &q, (struct column_request *)(uintptr_t)q.target, r))) {
        options.pool = f->pool;
        options.reading = &f->reading;
        if (batches_init(&f->batches, &f->data, n, &q, &options, &t->budget, r) && make_rooms(f, r))
            return true;
    }
    feed_release(f);
    return false;
}

/* -- the next batch -- */

static struct feed_batch *next_of(struct feed *f)
{
    return &f->batch[f->helper ? !f->given : 0];
}

static void make_batch(void *context)
{
    struct feed *f = context;
    struct feed_batch *b = next_of(f);

    budget_start(&f->reading);
    b->ok = batches_next(&f->batches, b->x_data, b->y_data, &b->count, &b->report);
    budget_stop(&f->reading);
}

static void begin(struct feed *f)
{
    next_of(f)->report = (struct report){ 0 };
    f->begun = true;
    if (f->helper)
        helper_start(f->helper, make_batch, f);
    else
        make_batch(f);
}

void feed_start(struct feed *f, int64_t pass, int64_t at)
{
    if (f->started && f->pass == pass && f->at == at)
        return; /* a stream would be read again up to there */
    f->started = true;
    f->pass = pass;
    f->at = at;
    if (f->helper)
        helper_wait(f->helper);
    f->begun = false;
    batches_start(&f->batches, (uint64_t)pass);
    f->batches.at = at;
}

bool feed_next(struct feed *f, int64_t *count, struct report *r)
{
    struct feed_batch *b = next_of(f);

    if (!f->begun)
        begin(f);
    if (f->helper)
        helper_wait(f->helper);
    f->begun = false;
    f->ended = !b->ok && f->data.stream;
    if (!b->ok) {
        f->started = false;
        return fail(r, b->report.error.code, b->report.error.where, "%s", b->report.error.message);
    }
    *count = b->count < f->trainer->batch ? 0 : b->count; /* the model does not take an incomplete batch */
    f->at += *count;
    for (size_t k = 0; k < f->trainer->inputs; k++)
        b->x[k].dims[0] = *count;
    for (size_t k = 0; k < f->batches.targets; k++)
        b->y[k].dims[0] = *count;
    f->x = b->x;
    f->y = b->y;
    f->trainer->weights = f->weighted ? b->y[f->batches.targets - 1] : (struct tensor){ 0 };
    if (*count && f->helper) {
        f->given = !f->given;
        begin(f);
    }
    return true;
}
