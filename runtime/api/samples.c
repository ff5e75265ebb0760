/* Looking at the samples of a data set, and batches of them. */
#include "api/data.h"
#include "data/element.h"
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
static void look_at(const struct dataset *d, const struct column *c, kiln_numbers *n, bool again)
{
    element_get *const get = element_getter(c->values.dtype);
    const struct tensor sample = column_sample(c);
    const int64_t width = tensor_count(&sample);
    double sum = 0;

    for (int64_t i = d->from; i < d->from + d->count; i++) {
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
            n->sample[n->samples - 1] = i - d->from;
    }
    *(again ? &n->deviation : &n->mean) = n->finite ? sum / (double)n->finite : (double)NAN;
}

kiln_status kiln_dataset_numbers(const kiln_dataset *data, bool target, size_t k, kiln_numbers *out, kiln_error *err)
{
    const struct column *c = column_of(data, target, k);
    struct report r = { 0 };

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = (kiln_numbers){ .least = (double)NAN, .most = (double)NAN };
    if (!c)
        return refuse_column(data, target, k, err);
    look_at(&data->data, c, out, false);
    look_at(&data->data, c, out, true);
    out->deviation = sqrt(out->deviation);
    return api_end(&r, true, err);
}

kiln_status kiln_dataset_count_classes(const kiln_dataset *data, size_t k, int64_t *counts, kiln_error *err)
{
    const struct column *c = column_of(data, true, k);
    struct report r = { 0 };
    int64_t each;

    if (!counts)
        return api_refuse(err, "counts is NULL");
    if (!c)
        return refuse_column(data, true, k, err);
    memset(counts, 0, (size_t)c->classes * sizeof *counts);
    each = column_has_labels(c) ? dims_product(c->values.dims, 1, c->values.rank) : 0;
    for (int64_t i = data->data.from * each; i < (data->data.from + data->data.count) * each; i++) {
        const int64_t label = ((const int64_t *)c->values.data)[i];

        if (!column_ignores(c, label))
            counts[label]++;
    }
    return api_end(&r, true, err);
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

static bool fill(kiln_tensor **x, struct batches *b, const int64_t *samples, int64_t count, struct arena *a,
                 struct report *r)
{
    void **room = arena_array(a, b->inputs, sizeof *room, r);

    for (size_t k = 0; room && k < b->inputs; k++) {
        const struct tensor *t = &b->x[k].type;

        if (kiln_tensor_new(&x[k], (kiln_dtype)t->dtype, t->rank, t->dims, NULL, NULL) != KILN_OK)
            return fail_no_memory(r, (size_t)tensor_bytes(t));
        room[k] = x[k]->tensor.data;
    }
    return room && batches_fill(b, samples, count, room, NULL, r);
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
    for (int64_t k = 0; k < count; k++)
        if (samples[k] < 0 || samples[k] >= data->data.count)
            return api_refuse(err, "there is no sample %lld, there are %lld", (long long)samples[k],
                              (long long)data->data.count);
    budget = (struct budget){ .total = context_total(api_data_context(data)) };
    q.inputs = model->model->graph->input_count;
    memset(x, 0, q.inputs * sizeof(kiln_tensor *));
    q.input = api_inputs_of(model->model->graph, &a, &r);
    if (q.input && batches_init(&b, &data->data, api_normalizer(data), &q, &o, &budget, &r)) {
        ok = fill(x, &b, samples, count, &a, &r);
        batches_release(&b);
    }
    if (!ok)
        free_all(x, q.inputs);
    arena_release(&a);
    return api_end(&r, ok, err);
}
