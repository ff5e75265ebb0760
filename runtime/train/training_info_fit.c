#include "train/training_info_fit.h"
#include "base/clock.h"
#include "data/batch.h"
#include "data/element.h"
#include "train/batch_size.h"
#include <math.h>
#include <string.h>

struct info_fit {
    struct training_info *t;
    const struct fit_options *options;
    const struct fit_events *events;
    struct batches batches;
    struct arena memory;
    struct tensor *x;    /* [inputs of the training]: a batch */
    void **data;         /* where it lies */
    int64_t fixed;       /* the only number of samples that the inputs take; 0: any */
    double *sum, *means; /* [results] over the epoch so far, each batch as often as it has samples */
    double samples;      /* that they are of */
    double seconds;      /* of the epoch so far */
    struct report *report;
};

/* -- batches -- */

static struct column_request request_of(const struct value *v)
{
    return (struct column_request){ .name = v->name, .type = v->has_type ? &v->type : NULL };
}

static bool request(struct info_fit *f, struct batch_request *q)
{
    const struct training_info *t = f->t;
    const size_t labels = t->inputs - t->main_inputs;
    struct column_request *x = arena_array(&f->memory, t->main_inputs, sizeof *x, f->report);
    struct column_request *y = arena_array(&f->memory, labels, sizeof *y, f->report);

    if (!x || !y)
        return false;
    for (size_t k = 0; k < t->inputs; k++) {
        const struct tensor *type = &t->input[k]->type;

        if (t->input[k]->has_type && (type->kind != TENSOR || type->rank == 0))
            return fail(f->report, KILN_UNSUPPORTED, NULL,
                        "input '%s' of the training is no batch of samples: a data set cannot give it",
                        t->input[k]->name);
        *(k < t->main_inputs ? &x[k] : &y[k - t->main_inputs]) = request_of(t->input[k]);
        if (t->input[k]->has_type && type->rank > 0 && type->dims[0] > 0)
            f->fixed = type->dims[0];
    }
    *q = (struct batch_request){ t->main_inputs, labels, x, y };
    return true;
}

static bool make_room(struct info_fit *f)
{
    const struct batches *b = &f->batches;

    f->x = arena_array(&f->memory, f->t->inputs, sizeof *f->x, f->report);
    f->data = arena_array(&f->memory, f->t->inputs, sizeof *f->data, f->report);
    f->sum = arena_array(&f->memory, f->t->results, sizeof *f->sum, f->report);
    f->means = arena_array(&f->memory, 2 * f->t->results, sizeof *f->means, f->report);
    for (size_t k = 0; f->x && f->data && k < f->t->inputs; k++) {
        f->x[k] = k < b->inputs ? b->x[k].type : b->y[k - b->inputs].type;
        f->x[k].data = f->data[k] = arena_alloc(&f->memory, (size_t)tensor_bytes(&f->x[k]), f->report);
        if (!f->data[k])
            return false;
    }
    return f->x && f->data && f->sum && f->means;
}

/* -- an epoch -- */

static void add_results(struct info_fit *f, int64_t samples)
{
    f->samples += (double)samples;
    for (size_t k = 0; k < f->t->results; k++) {
        const struct tensor *y = training_info_result(f->t, k);
        element_get *get = tensor_count(y) == 1 ? element_getter(y->dtype) : NULL;

        f->sum[k] += get ? (double)samples * get(y->data, 0) : (double)NAN;
        f->means[k] = f->sum[k] / f->samples;
    }
}

static bool stopped(struct report *r)
{
    return failed(r) ? false : fail(r, KILN_STOPPED, NULL, "stopped");
}

static bool tell_step(struct info_fit *f, int64_t epoch, const struct dataset *d)
{
    const struct tensor *y = f->t->results ? training_info_result(f->t, 0) : NULL;
    element_get *get = y && tensor_count(y) == 1 ? element_getter(y->dtype) : NULL;
    const struct fit_step step = { .step = f->t->steps,
                                   .epoch = epoch,
                                   .done = (int64_t)f->samples,
                                   .of = f->options->steps_per_epoch || d->count == UNKNOWN ? 0 : d->count,
                                   .loss = get ? (float)get(y->data, 0) : NAN,
                                   .so_far = f->means };

    return !f->events->step || f->events->step(f->events->user, &step, f->report) || stopped(f->report);
}

/* *n: samples of the next batch, which f->x is then; 0 at the end of the pass. */
static bool next_batch(struct info_fit *f, int64_t *n)
{
    if (!batches_next(&f->batches, f->data, f->data + f->batches.inputs, n, f->report))
        return false;
    if (*n < f->fixed) /* what is made for so many takes no incomplete batch */
        *n = 0;
    for (size_t k = 0; k < f->t->inputs; k++)
        f->x[k].dims[0] = *n;
    return true;
}

static bool run_epoch(struct info_fit *f, int64_t epoch, int64_t *pass, const struct dataset *d)
{
    const int64_t steps = f->options->steps_per_epoch;
    const int64_t start = clock_now();
    int64_t n, done = 0;

    memset(f->sum, 0, f->t->results * sizeof *f->sum);
    f->samples = 0;
    for (bool fresh = !steps || !*pass; !steps || done < steps;) {
        if (fresh)
            batches_start(&f->batches, (uint64_t)(*pass)++);
        if (!next_batch(f, &n))
            return false;
        if (!n && fresh)
            return fail(f->report, KILN_BAD_DATA, NULL, "there are no samples, or fewer than the %lld of a batch",
                        (long long)f->fixed);
        fresh = !n;
        if (!n && !steps)
            break;
        if (!n)
            continue;
        if (!training_info_step(f->t, f->x, f->report))
            return false;
        done++;
        add_results(f, n);
        f->seconds = (double)(clock_now() - start) * 1e-9;
        if (!tell_step(f, epoch, d))
            return false;
    }
    return true;
}

static bool run_epochs(struct info_fit *f, const struct dataset *d, int64_t *ran)
{
    double *none = f->means + f->t->results;
    int64_t pass = 0;

    for (size_t k = 0; k < f->t->results; k++)
        none[k] = (double)NAN;
    if (f->events->start && !f->events->start(f->events->user, 0, 0, f->report))
        return stopped(f->report);
    for (*ran = 0; *ran < f->options->epochs; ++*ran) {
        struct epoch e = {
            .number = *ran + 1, .train = f->means, .validation = none, .best = true, .learning_rate = (double)NAN
        };

        if (!run_epoch(f, e.number, &pass, d))
            return false;
        e.seconds = f->seconds;
        if (f->events->epoch && !f->events->epoch(f->events->user, &e, f->report))
            return ++*ran, stopped(f->report);
    }
    return true;
}

bool training_info_fit(struct training_info *t, const struct dataset *data, const struct normalizer *normalizer,
                       const struct fit_options *o, const struct fit_events *events, int64_t *ran, struct report *r)
{
    static const struct fit_events silent = { 0 };
    struct info_fit f = {
        .t = t, .options = o, .events = events ? events : &silent, .memory.budget = &t->budget, .report = r
    };
    struct batch_options b = { .shuffle = o->shuffle, .seed = o->seed, .augmentation = o->augmentation };
    struct batch_request q;
    bool ok;

    *ran = 0;
    ok = request(&f, &q) && batch_size(o->batch, f.fixed, dataset_most(data), &b.batch, r);
    if (ok && batches_init(&f.batches, data, normalizer, &q, &b, &t->budget, r)) {
        ok = batches_check(&f.batches, r) && make_room(&f) && run_epochs(&f, data, ran);
        batches_release(&f.batches);
    } else {
        ok = false;
    }
    arena_release(&f.memory);
    return ok;
}
