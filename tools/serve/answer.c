/* The answer to an inference request. */
#include "json.h"
#include "serve/infer.h"
#include "serve/types.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* -- classes -- */

/* The rows of an output, and the numbers of each: those of one dimension are one row. */
struct rows {
    const kiln_tensor *t;
    int64_t count, width, classes;
};

static struct rows rows_of(const kiln_tensor *t, int64_t classes)
{
    const int64_t n = kiln_tensor_count(t), count = kiln_tensor_rank(t) > 1 ? kiln_tensor_dims(t)[0] : 1;
    const int64_t width = count ? n / count : 0;

    return (struct rows){ t, count, width, classes < width ? classes : width };
}

/* The places of the largest numbers of a row, the largest first, of equal ones the first; a number that is none is
 * below all. */
static void choose(const struct rows *r, int64_t row, int64_t *best)
{
    int64_t count = 0;

    for (int64_t k = 0; k < r->width; k++) {
        const double x = kiln_tensor_number(r->t, row * r->width + k);
        int64_t at = count;

        while (at > 0 && !(kiln_tensor_number(r->t, row * r->width + best[at - 1]) >= x) && x == x)
            at--;
        if (at == r->classes)
            continue;
        count += count < r->classes;
        memmove(best + at + 1, best + at, (size_t)(count - 1 - at) * sizeof *best);
        best[at] = k;
    }
}

/* "value:place", and ":name" where the class has one. */
static void put_class(struct page *to, const struct served *m, const char *output, double value, int64_t place)
{
    size_t length;
    const char *name = served_class(m, output, place, &length);

    page_printf(to, "%f:%" PRId64, value, place);
    if (name) {
        page_add(to, ":", 1);
        page_add(to, name, length);
    }
}

/* A tensor of strings in place of the values. NULL where there is no memory. */
static kiln_tensor *classified(const struct served *m, const char *output, const struct rows *r)
{
    const int64_t dims[] = { r->count, r->classes }, n = r->count * r->classes;
    const int flat = kiln_tensor_rank(r->t) <= 1;
    int64_t *best = calloc((size_t)r->classes + 1, sizeof *best);
    size_t *lengths = calloc((size_t)n + 1, sizeof *lengths), *from = calloc((size_t)n + 1, sizeof *from);
    const char **strings = calloc((size_t)n + 1, sizeof *strings);
    struct page text = { 0 };
    kiln_tensor *t = NULL;

    for (int64_t k = 0; best && from && k < n; k++) {
        if (k % r->classes == 0)
            choose(r, k / r->classes, best);
        from[k] = text.length;
        put_class(&text, m, output, kiln_tensor_number(r->t, k / r->classes * r->width + best[k % r->classes]),
                  best[k % r->classes]);
        from[k + 1] = text.length;
    }
    for (int64_t k = 0; from && strings && lengths && k < n; k++) {
        strings[k] = text.text + from[k];
        lengths[k] = from[k + 1] - from[k];
    }
    if (best && from && strings && lengths && !text.failed)
        kiln_tensor_new_strings(&t, 2 - flat, dims + flat, strings, lengths, NULL);
    page_free(&text);
    free(best);
    free(lengths);
    free(from);
    free(strings);
    return t;
}

/* -- outputs -- */

static void put_element(struct json *j, const kiln_tensor *t, int64_t k)
{
    const kiln_dtype dtype = kiln_tensor_dtype(t);
    size_t length;

    switch (dtype) {
    case KILN_STRING: {
        const char *s = kiln_tensor_string(t, k, &length);

        json_text_n(j, NULL, s, length);
        break;
    }
    case KILN_BOOL:
        json_flag(j, NULL, kiln_tensor_number(t, k) != 0);
        break;
    case KILN_INT64:
        json_whole(j, NULL, ((const int64_t *)kiln_tensor_data(t))[k]);
        break;
    case KILN_UINT64:
        json_whole_unsigned(j, NULL, ((const uint64_t *)kiln_tensor_data(t))[k]);
        break;
    default:
        json_number(j, NULL, kiln_tensor_number(t, k), dtype == KILN_DOUBLE || !kiln_dtype_is_float(dtype) ? 17 : 9);
    }
}

static void put_output(struct json *j, const kiln_tensor *t, const char *name, bool binary)
{
    json_begin(j, NULL, '{');
    json_text(j, "name", name);
    json_text(j, "datatype", type_name(kiln_tensor_dtype(t)));
    json_begin(j, "shape", '[');
    for (int d = 0; d < kiln_tensor_rank(t); d++)
        json_whole(j, NULL, kiln_tensor_dims(t)[d]);
    json_end(j, ']');
    if (binary) {
        json_begin(j, "parameters", '{');
        json_whole(j, "binary_data_size", (int64_t)taken_size(t));
        json_end(j, '}');
    } else {
        json_begin(j, "data", '[');
        for (int64_t k = 0; k < kiln_tensor_count(t); k++)
            put_element(j, t, k);
        json_end(j, ']');
    }
    json_end(j, '}');
}

/* In place of values their classes, where these are asked for. */
static bool classify(const struct job *job)
{
    for (size_t k = 0; k < job->asked_count; k++) {
        const struct asked *a = &job->asked[k];
        const struct rows rows = rows_of(job->outputs[k], a->classes);
        kiln_tensor *t;

        if (!a->classes)
            continue;
        t = classified(job->model, kiln_model_output(job->model->model, job->model->output[a->output])->name, &rows);
        if (!t)
            return false;
        kiln_tensor_free(job->outputs[k]);
        job->outputs[k] = t;
    }
    return true;
}

void infer_write(const struct job *job, struct page *to, size_t *json)
{
    const struct served *m = job->model;
    struct json j = { .out = to };
    bool binary = false;

    to->failed |= !classify(job);
    json_begin(&j, NULL, '{');
    json_text(&j, "model_name", m->name);
    json_text(&j, "model_version", "1");
    if (job->id)
        json_text(&j, "id", job->id);
    json_begin(&j, "outputs", '[');
    for (size_t k = 0; k < job->asked_count; k++) {
        put_output(&j, job->outputs[k], kiln_model_output(m->model, m->output[job->asked[k].output])->name,
                   job->asked[k].binary);
        binary |= job->asked[k].binary;
    }
    json_end(&j, ']');
    json_end(&j, '}');
    *json = binary ? to->length : 0;
    for (size_t k = 0; k < job->asked_count; k++)
        if (job->asked[k].binary)
            taken_bytes(job->outputs[k], to);
}
