#include "train/feed.h"
#include <math.h>
#include <string.h>

/* -- sums over batches -- */

enum { LOSS, SAMPLES, TARGETS }; /* in sums.all; TARGETS: where the first target begins */
enum { ROWS = 1, METRICS, OF_TARGET = METRICS + METRIC_COUNT }; /* of a target, behind its LOSS */

static double *of_target(const struct sums *s, size_t k)
{
    return s->all + TARGETS + k * OF_TARGET;
}

bool sums_init(struct sums *s, struct trainer *t, struct report *r)
{
    *s = (struct sums){ .trainer = t, .count = TARGETS + (int64_t)t->target_count * OF_TARGET };
    s->all = budget_zalloc(&t->budget, (size_t)s->count, sizeof *s->all, r);
    return s->all;
}

void sums_release(struct sums *s, struct trainer *t)
{
    budget_free(&t->budget, s->all);
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
        double *of = of_target(s, k);

        of[LOSS] += (double)t->result[k].loss * (double)samples;
        of[ROWS] += (double)t->result[k].rows;
        for (int m = 0; m < METRIC_COUNT; m++)
            of[METRICS + m] += t->result[k].metric[m];
    }
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
        const double *of = of_target(s, m->target < 0 ? 0 : (size_t)m->target);

        if (m->target < 0)
            out[k] = mean(s->all[LOSS], s->all[SAMPLES]);
        else if (m->metric < 0)
            out[k] = mean(of[LOSS], s->all[SAMPLES]);
        else
            out[k] = mean(of[METRICS + m->metric], of[ROWS]);
    }
}

/* -- batches in memory -- */

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

/* What the trainer asks the data for. */
static bool request(struct batch_request *q, struct trainer *t, struct arena *memory, struct report *r)
{
    struct column_request *x = arena_array(memory, t->inputs, sizeof *x, r);
    struct column_request *y = arena_array(memory, t->target_count, sizeof *y, r);

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

void feed_release(struct feed *f)
{
    batches_release(&f->batches);
    arena_release(&f->memory);
}

bool feed_init(struct feed *f, struct trainer *t, const struct dataset *d, const struct normalizer *n,
               const struct batch_options *o, struct report *r)
{
    struct batch_request q;

    *f = (struct feed){ .trainer = t, .memory.budget = &t->budget };
    if (request(&q, t, &f->memory, r) && batches_init(&f->batches, d, n, &q, o, &t->budget, r)) {
        if (make_room(f, &f->x, &f->x_data, f->batches.x, t->inputs, r) &&
            make_room(f, &f->y, &f->y_data, f->batches.y, t->target_count, r))
            return true;
        batches_release(&f->batches);
    }
    arena_release(&f->memory);
    return false;
}

void feed_start(struct feed *f, int64_t pass, int64_t at)
{
    batches_start(&f->batches, (uint64_t)pass);
    f->batches.at = at;
}

bool feed_next(struct feed *f, int64_t *count, struct report *r)
{
    if (!batches_next(&f->batches, f->x_data, f->y_data, count, r))
        return false;
    if (*count < f->trainer->batch)
        *count = 0; /* the model does not take an incomplete batch */
    for (size_t k = 0; k < f->trainer->inputs; k++)
        f->x[k].dims[0] = *count;
    for (size_t k = 0; k < f->trainer->target_count; k++)
        f->y[k].dims[0] = *count;
    return true;
}
