/* Looking at the samples of a data set, and batches of them. */
#include "api/data.h"
#include "data/element.h"
#include "data/stream.h"
#include "plan/open_sizes.h"
#include "plan/samples_first.h"
#include <math.h>
#include <string.h>

/* The column that is asked for; NULL where there is none. */
static const struct column *column_of(const kiln_dataset *data, bool target, size_t k)
{
    if (!data || k >= (target ? data->data.targets : data->data.inputs))
        return NULL;
    return target ? &data->data.y[k] : &data->data.x[k];
}

static kiln_status refuse_column(const kiln_dataset *data, bool target, size_t k, kiln_error *err)
{
    return data ? api_refuse(err, "the data have no %s %zu", target ? "target" : "input", k)
                : api_refuse(err, "data is NULL");
}

/* -- numbers -- */

/* Sums of what is finite; of the squares of the distances from the mean where that is given. */
static double sum_up(const struct dataset *d, const struct walk *w, const struct column *c, kiln_numbers *n, bool again)
{
    element_get *const get = element_getter(c->values.dtype);
    const struct tensor sample = column_sample(c);
    const int64_t width = tensor_count(&sample);
    double sum = 0;

    for (int64_t i = w->from; i < w->from + w->count; i++) {
        bool sound = true;

        for (int64_t k = 0; k < width; k++) {
            const double x = get(c->values.data, i * width + k);

            if (!isfinite(x)) {
                sound = false;
                n->nan += !again && isnan(x);
                n->infinite += !again && isinf(x);
                continue;
            }
            sum += again ? (x - n->mean) * (x - n->mean) : x;
            if (again)
                continue;
            n->finite++;
            n->least = x < n->least || n->finite == 1 ? x : n->least;
            n->most = x > n->most || n->finite == 1 ? x : n->most;
        }
        if (!sound && !again && n->samples++ < (int64_t)(sizeof n->sample / sizeof *n->sample))
            n->sample[n->samples - 1] = w->first + i - w->from - d->from;
    }
    return sum;
}

static bool look_at(const struct dataset *d, bool target, size_t k, kiln_numbers *n, bool again, struct budget *b,
                    struct report *r)
{
    struct walk w;
    double sum = 0;
    bool ok;

    if (!walk_begin(&w, d, b, r))
        return false;
    while ((ok = walk_next(&w, r)) && w.count)
        sum += sum_up(d, &w, target ? &w.y[k] : &w.x[k], n, again);
    walk_end(&w);
    *(again ? &n->deviation : &n->mean) = n->finite ? sum / (double)n->finite : (double)NAN;
    return ok;
}

kiln_status kiln_dataset_numbers(const kiln_dataset *data, bool target, size_t k, kiln_numbers *out, kiln_error *err)
{
    struct report r = api_report(data ? api_data_context(data) : NULL);
    struct budget b;
    bool ok;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = (kiln_numbers){ .least = (double)NAN, .most = (double)NAN };
    if (!column_of(data, target, k))
        return refuse_column(data, target, k, err);
    b = (struct budget){ .total = context_total(api_data_context(data)) };
    ok = look_at(&data->data, target, k, out, false, &b, &r) && look_at(&data->data, target, k, out, true, &b, &r);
    out->deviation = sqrt(out->deviation);
    return api_end(&r, ok, err);
}

static void count_labels(const struct walk *w, const struct column *c, int64_t *counts)
{
    const int64_t each = dims_product(c->values.dims, 1, c->values.rank);

    for (int64_t i = w->from * each; i < (w->from + w->count) * each; i++) {
        const int64_t label = ((const int64_t *)c->values.data)[i];

        if (!column_ignores(c, label))
            counts[label]++;
    }
}

kiln_status kiln_dataset_count_classes(const kiln_dataset *data, size_t k, int64_t *counts, kiln_error *err)
{
    const struct column *c = column_of(data, true, k);
    struct report r = api_report(data ? api_data_context(data) : NULL);
    struct budget b;
    struct walk w;
    bool ok = true;

    if (!counts)
        return api_refuse(err, "counts is NULL");
    if (!c)
        return refuse_column(data, true, k, err);
    memset(counts, 0, (size_t)c->classes * sizeof *counts);
    if (!column_has_labels(c))
        return api_end(&r, true, err);
    b = (struct budget){ .total = context_total(api_data_context(data)) };
    if (!walk_begin(&w, &data->data, &b, &r))
        return api_end(&r, false, err);
    while ((ok = walk_next(&w, &r)) && w.count)
        count_labels(&w, &w.y[k], counts);
    walk_end(&w);
    return api_end(&r, ok, err);
}

/* A stream has no sample but the next one. */
static kiln_status refuse_stream(kiln_error *err)
{
    return api_refuse(err,
                      "samples of a stream come in their order, and none by its number: read the data into memory");
}

kiln_status kiln_dataset_sample(kiln_tensor **out, const kiln_dataset *data, bool target, size_t k, int64_t i,
                                kiln_error *err)
{
    const struct column *c = column_of(data, target, k);
    struct tensor sample;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!c)
        return refuse_column(data, target, k, err);
    if (data->data.stream)
        return refuse_stream(err);
    if (i < 0 || i >= data->data.count)
        return api_refuse(err, "there is no sample %lld, there are %lld", (long long)i, (long long)data->data.count);
    sample = column_sample(c);
    return kiln_tensor_new(out, (kiln_dtype)sample.dtype, sample.rank, sample.dims,
                           (const char *)c->values.data + (data->data.from + i) * tensor_bytes(&sample), err);
}

/* -- batches -- */

static void free_all(kiln_tensor **x, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        kiln_tensor_free(x[k]);
        x[k] = NULL;
    }
}

/* Tensors for the model's inputs, and where batches write to: into these, or, where their samples are not first,
 * elsewhere. */
static bool make_tensors(kiln_tensor **x, void **room, const struct batches *b, const struct graph *g, struct arena *a,
                         struct report *r)
{
    for (size_t k = 0; k < b->inputs; k++) {
        const struct tensor t = samples_in_place(g, k, &b->x[k].type);

        if (kiln_tensor_new(&x[k], (kiln_dtype)t.dtype, t.rank, t.dims, NULL, NULL) != KILN_OK)
            return fail_no_memory(r, (size_t)tensor_bytes(&t));
        room[k] = open_samples(g, k) > 0 ? arena_alloc(a, (size_t)tensor_bytes(&t), r) : x[k]->tensor.data;
        if (!room[k])
            return false;
    }
    return true;
}

/* So many samples are there. */
static void put_in_place(kiln_tensor **x, void *const *room, const struct batches *b, const struct graph *g,
                         int64_t count)
{
    for (size_t k = 0; k < b->inputs; k++) {
        struct tensor t = b->x[k].type;

        t.dims[0] = count;
        t.data = room[k];
        if (open_samples(g, k) > 0)
            samples_put_in_place(g, k, &t, x[k]->tensor.data);
        t = samples_in_place(g, k, &t);
        memcpy(x[k]->tensor.dims, t.dims, sizeof t.dims);
    }
}

static bool fill(kiln_tensor **x, struct batches *b, const struct graph *g, const int64_t *samples, int64_t count,
                 struct arena *a, struct report *r)
{
    void **room = arena_array(a, b->inputs, sizeof *room, r);

    if (!room || !make_tensors(x, room, b, g, a, r) || !batches_fill(b, samples, count, room, NULL, r))
        return false;
    put_in_place(x, room, b, g, count);
    return true;
}

kiln_status kiln_dataset_batch(kiln_tensor **x, const kiln_dataset *data, const kiln_model *model,
                               const int64_t *samples, int64_t count, kiln_error *err)
{
    struct report r = api_report(data ? api_data_context(data) : NULL);
    const struct batch_options o = { .batch = count };
    struct batch_request q = { 0 };
    struct budget budget;
    struct arena a = { .budget = &budget };
    struct batches b;
    kiln_status usable;
    bool ok = false;

    if (!x || !data || !model || !samples)
        return api_refuse(err, "%s is NULL", !x ? "x" : !data ? "data" : model ? "samples" : "model");
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    if (data->data.stream)
        return refuse_stream(err);
    for (int64_t k = 0; k < count; k++)
        if (samples[k] < 0 || samples[k] >= data->data.count)
            return api_refuse(err, "there is no sample %lld, there are %lld", (long long)samples[k],
                              (long long)data->data.count);
    budget = (struct budget){ .total = context_total(api_data_context(data)) };
    q.inputs = model->model->graph->input_count;
    memset(x, 0, q.inputs * sizeof(kiln_tensor *));
    q.input = api_inputs_of(model->model->graph, &a, &r);
    if (q.input && batches_init(&b, &data->data, api_normalizer(data), &q, &o, &budget, &r)) {
        ok = fill(x, &b, model->model->graph, samples, count, &a, &r);
        batches_release(&b);
    }
    if (!ok)
        free_all(x, q.inputs);
    arena_release(&a);
    return api_end(&r, ok, err);
}

/* -- all of them -- */

/* A walk in batches. */
struct walking {
    struct batches batches;
    const struct graph *graph;
    kiln_tensor **x;
    void **room; /* where they lie */
    bool whole;
    bool (*each)(void *user, const kiln_tensor *const *x, int64_t first, int64_t count);
    void *user;
};

static bool make_room(struct walking *w, struct arena *a, struct report *r)
{
    w->x = arena_array(a, w->batches.inputs, sizeof(kiln_tensor *), r);
    w->room = arena_array(a, w->batches.inputs, sizeof *w->room, r);
    return w->x && w->room && make_tensors(w->x, w->room, &w->batches, w->graph, a, r);
}

/* The last of them again, until the batch is full. */
static void fill_up(struct walking *w, int64_t count)
{
    const int64_t batch = w->batches.options.batch;

    for (size_t k = 0; k < w->batches.inputs; k++) {
        const size_t row = (size_t)(tensor_bytes(&w->batches.x[k].type) / batch);
        char *rows = w->room[k];

        for (int64_t i = count; i < batch; i++)
            memcpy(rows + (size_t)i * row, rows + (size_t)(count - 1) * row, row);
    }
}

static bool walk_batches(struct walking *w, const struct budget *b, struct report *r)
{
    int64_t count = 1;

    for (int64_t first = 0; count; first += count) {
        if (!batches_next(&w->batches, w->room, NULL, &count, r))
            return false;
        if (count && w->whole)
            fill_up(w, count);
        put_in_place(w->x, w->room, &w->batches, w->graph, w->whole ? w->batches.options.batch : count);
        if (count && !w->each(w->user, (const kiln_tensor *const *)w->x, first, count))
            return fail(r, KILN_STOPPED, NULL, "stopped");
        if (!budget_in_time(b, NULL, r))
            return false;
    }
    return true;
}

kiln_status kiln_dataset_each(const kiln_dataset *data, const kiln_model *model, int64_t batch, bool whole,
                              bool (*each)(void *user, const kiln_tensor *const *x, int64_t first, int64_t count),
                              void *user, kiln_error *err)
{
    struct report r = api_report(data ? api_data_context(data) : NULL);
    const struct batch_options o = { .batch = batch };
    struct walking w = { .whole = whole, .each = each, .user = user };
    struct batch_request q = { 0 };
    struct budget budget;
    struct arena a = { .budget = &budget };
    kiln_status usable;
    bool ok = false;

    if (!data || !model || !each)
        return api_refuse(err, "%s is NULL", !data ? "data" : model ? "each" : "model");
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    budget = (struct budget){ .total = context_total(api_data_context(data)) };
    w.graph = model->model->graph;
    q.inputs = w.graph->input_count;
    q.input = api_inputs_of(w.graph, &a, &r);
    budget_start(&budget);
    if (q.input && batches_init(&w.batches, &data->data, api_normalizer(data), &q, &o, &budget, &r)) {
        ok = make_room(&w, &a, &r) && walk_batches(&w, &budget, &r);
        if (w.x)
            free_all(w.x, w.batches.inputs);
        batches_release(&w.batches);
    }
    budget_stop(&budget);
    arena_release(&a);
    return api_end(&r, ok, err);
}
