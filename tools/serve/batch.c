#include "serve/batch.h"
#include <stdlib.h>
#include <string.h>

bool batch_fits(const struct job *a, const struct job *b)
{
    if (!a->rows || !b->rows || a->count != b->count)
        return false;
    for (size_t k = 0; k < a->count; k++) {
        const int rank = kiln_tensor_rank(a->inputs[k]);
        const int64_t *dims = kiln_tensor_dims(a->inputs[k]), *others = kiln_tensor_dims(b->inputs[k]);

        if (rank != kiln_tensor_rank(b->inputs[k]) ||
            memcmp(dims + 1, others + 1, (size_t)(rank - 1) * sizeof *dims) != 0)
            return false;
    }
    return true;
}

/* -- errors -- */

static void fail(struct job *j, const kiln_error *e)
{
    const char *where = e->where, *colon = *e->where ? ": " : "";

    switch (e->code) {
    case KILN_BAD_ARGUMENT:
    case KILN_BAD_DATA:
    case KILN_BAD_MODEL: /* shapes that do not fit each other inside: the model was sound when it was opened */
    case KILN_RUN_FAILED:
        job_fail(j, 400, "%s%s%s", where, colon, e->message);
        break;
    case KILN_STOPPED:
        job_fail(j, 503, "the server stops");
        break;
    case KILN_LIMIT:
    case KILN_NO_MEMORY:
        job_fail(j, 503, "%s%s%s", where, colon, e->message);
        break;
    default:
        job_fail(j, 500, "%s%s%s", where, colon, e->message);
    }
}

static void fail_memory(struct job *j)
{
    job_fail(j, 503, "there is no memory for the answer");
}

/* -- running -- */

static bool run(struct served *m, size_t count, const char *const *names, const kiln_tensor *const *x, int64_t rows,
                kiln_error *err)
{
    const double start = seconds_now();
    const bool ok = kiln_session_run(m->session, count, names, x, err) == KILN_OK;

    histogram_add(&m->metrics.run_seconds, metric_seconds, seconds_now() - start);
    histogram_add(&m->metrics.rows, metric_rows, (double)rows);
    return ok;
}

static void run_alone(struct served *m, struct job *j)
{
    const int64_t rows = j->count && kiln_tensor_rank(j->inputs[0]) ? kiln_tensor_dims(j->inputs[0])[0] : 1;
    kiln_error err;

    if (!run(m, j->count, j->names, (const kiln_tensor *const *)j->inputs, rows, &err)) {
        fail(j, &err);
        return;
    }
    j->code = 200;
    for (size_t k = 0; k < j->asked_count; k++)
        if (kiln_tensor_copy(&j->outputs[k], kiln_session_output(m->session, j->asked[k].output), NULL) != KILN_OK)
            fail_memory(j);
}

/* -- several -- */

/* Memory for `bytes` of input k; what was in it is lost. */
static void *room_for(struct served *m, struct batch *b, size_t k, size_t bytes)
{
    const size_t whole = (bytes + 63) / 64 * 64;

    if (!b->rows)
        b->rows = calloc(m->inputs, sizeof *b->rows);
    if (!b->room)
        b->room = calloc(m->inputs, sizeof *b->room);
    if (!b->rows || !b->room)
        return NULL;
    if (whole > b->room[k]) {
        free(b->rows[k]);
        b->rows[k] = aligned_alloc(64, whole);
        b->room[k] = b->rows[k] ? whole : 0;
    }
    return b->rows[k];
}

/* The rows of all jobs, one after the other; NULL where there is no memory. */
static kiln_tensor *join(struct served *m, struct batch *b, struct job *first, size_t k, int64_t rows)
{
    const kiln_tensor *like = first->inputs[k];
    int64_t dims[KILN_MAX_RANK];
    kiln_tensor *t = NULL;
    size_t bytes = 0;
    char *to;

    for (const struct job *j = first; j; j = j->next)
        bytes += kiln_tensor_bytes(j->inputs[k]);
    to = room_for(m, b, k, bytes ? bytes : 1);
    if (!to)
        return NULL;
    memcpy(dims, kiln_tensor_dims(like), (size_t)kiln_tensor_rank(like) * sizeof *dims);
    dims[0] = rows;
    kiln_tensor_wrap(&t, kiln_tensor_dtype(like), kiln_tensor_rank(like), dims, to, bytes, NULL);
    for (const struct job *j = first; t && j; j = j->next) {
        const size_t n = kiln_tensor_bytes(j->inputs[k]);

        if (n)
            memcpy(to, kiln_tensor_data(j->inputs[k]), n);
        to += n;
    }
    return t;
}

/* A job's rows of all outputs, from `at` on. False where an output has another number of them. */
static bool split(struct served *m, struct job *j, int64_t at, int64_t rows)
{
    for (size_t k = 0; k < j->asked_count; k++) {
        const kiln_tensor *all = kiln_session_output(m->session, j->asked[k].output);
        int64_t dims[KILN_MAX_RANK];
        size_t row;

        if (kiln_tensor_rank(all) < 1 || kiln_tensor_dims(all)[0] != rows)
            return false;
        row = kiln_tensor_bytes(all) / (size_t)rows;
        memcpy(dims, kiln_tensor_dims(all), (size_t)kiln_tensor_rank(all) * sizeof *dims);
        dims[0] = j->rows;
        if (kiln_tensor_new(&j->outputs[k], kiln_tensor_dtype(all), kiln_tensor_rank(all), dims,
                            row ? (const char *)kiln_tensor_data(all) + (size_t)at * row : NULL, NULL) != KILN_OK)
            fail_memory(j);
    }
    return true;
}

static bool run_joined(struct served *m, struct job *first, kiln_tensor *const *x, int64_t rows)
{
    int64_t at = 0;

    if (!run(m, first->count, first->names, (const kiln_tensor *const *)x, rows, NULL))
        return false;
    for (struct job *j = first; j; j = j->next) {
        j->code = 200;
        if (!split(m, j, at, rows))
            return false;
        at += j->rows;
    }
    return true;
}

static bool run_together(struct served *m, struct batch *b, struct job *first)
{
    kiln_tensor **x = calloc(first->count, sizeof *x);
    int64_t rows = 0;
    bool ok = x;

    for (const struct job *j = first; j; j = j->next)
        rows += j->rows;
    for (size_t k = 0; ok && k < first->count; k++)
        ok = (x[k] = join(m, b, first, k, rows));
    ok = ok && run_joined(m, first, x, rows);
    for (size_t k = 0; x && k < first->count; k++)
        kiln_tensor_free(x[k]);
    free(x);
    return ok;
}

/* What was split before it failed. */
static void forget(struct job *j)
{
    for (size_t k = 0; k < j->asked_count; k++) {
        kiln_tensor_free(j->outputs[k]);
        j->outputs[k] = NULL;
    }
}

void batch_run(struct served *m, struct batch *b, struct job *first, size_t count)
{
    if (count > 1 && run_together(m, b, first))
        return;
    for (struct job *j = first; j; j = j->next) {
        forget(j);
        run_alone(m, j);
    }
}

void batch_free(struct served *m, struct batch *b)
{
    for (size_t k = 0; b->rows && k < m->inputs; k++)
        free(b->rows[k]);
    free(b->rows);
    free(b->room);
}
