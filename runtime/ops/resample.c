#include "ops/resample.h"
#include "kernels/machine.h"
#include "ops/convert.h"
#include <math.h>
#include <string.h>

struct pass {
    const struct taps *taps;
    const void *from;
    void *to;
    int64_t outer, inner, per_chunk;
    bool wide, adjoint;
};

#define real       float
#define NAME(name) name##_float
#include "ops/resample_body.h"

#define real       double
#define NAME(name) name##_double
#include "ops/resample_body.h"

/* What a chunk computes at least, in products; lanes of an image that one chunk of the adjoint owns. */
enum { CHUNK = JOB_ELEMENTS, LANES = 512 };

/* -- types and sizes -- */

static enum dtype compute_dtype(enum dtype d)
{
    return d == F32 || d == C64 || dtype_is_storage(d) ? F32 : F64;
}

static bool direct(enum dtype d)
{
    return d == F32 || d == F64 || d == C64 || d == C128;
}

static int64_t parts(enum dtype d) /* a complex number is two */
{
    return dtype_traits[d].class == CLASS_COMPLEX ? 2 : 1;
}

/* The axes that shrink come first going forward, and last going back: there is least to do. */
static void order(const struct resample *r, int axes[MAX_RANK])
{
    for (int k = 0; k < r->count; k++) {
        const struct taps *t = &r->taps[k];
        int at = k;

        for (; at > 0; at--) {
            const struct taps *before = &r->taps[axes[at - 1]];

            if ((double)before->out * (double)t->in <= (double)t->out * (double)before->in)
                break;
            axes[at] = axes[at - 1];
        }
        axes[at] = k;
    }
    for (int k = 0; r->adjoint && k < r->count / 2; k++) {
        const int swap = axes[k];

        axes[k] = axes[r->count - 1 - k];
        axes[r->count - 1 - k] = swap;
    }
}

/* Dimensions of what goes in. */
static void start_dims(const struct resample *r, int64_t dims[MAX_RANK])
{
    memcpy(dims, r->dims, sizeof r->dims);
    for (int k = 0; k < r->count; k++)
        dims[r->taps[k].axis] = r->adjoint ? r->taps[k].out : r->taps[k].in;
}

static bool table_bytes(const struct taps *t, int64_t *bytes)
{
    return mul_size(t->out, t->width, bytes) &&
           mul_size(*bytes, (int64_t)(sizeof *t->index + sizeof *t->weight), bytes) && add_size(*bytes, 63, bytes);
}

/* The longest value between two axes, those before the first and after the last included where they must be
 * converted. */
static bool buffer_bytes(const struct resample *r, int64_t *bytes)
{
    const int64_t each = parts(r->dtype) * (int64_t)dtype_size(compute_dtype(r->dtype));
    int64_t dims[MAX_RANK], most = 0;
    int axes[MAX_RANK];

    order(r, axes);
    start_dims(r, dims);
    for (int k = 0; k <= r->count; k++) {
        int64_t n = each;

        for (int d = 0; d < r->rank; d++)
            if (!mul_size(n, dims[d], &n))
                return false;
        most = n > most ? n : most;
        if (k < r->count)
            dims[r->taps[axes[k]].axis] = r->adjoint ? r->taps[axes[k]].in : r->taps[axes[k]].out;
    }
    return add_size(most, 63, bytes);
}

bool resample_scratch(const struct resample *r, size_t *bytes)
{
    int64_t buffer, total = 0, table;

    for (int k = 0; k < r->count; k++)
        if (!table_bytes(&r->taps[k], &table) || !add_size(total, table & ~(int64_t)63, &total))
            return false;
    if (!buffer_bytes(r, &buffer) || !mul_size(buffer & ~(int64_t)63, 2, &buffer) || !add_size(total, buffer, &total))
        return false;
    *bytes = (size_t)total;
    return true;
}

void resample_tables(struct resample *r, void *scratch)
{
    char *at = scratch;

    for (int k = 0; k < r->count; k++) {
        struct taps *t = &r->taps[k];
        int64_t bytes;

        t->index = (int64_t *)(void *)at;
        t->weight = (double *)(void *)(t->index + t->out * t->width);
        table_bytes(t, &bytes);
        at += bytes & ~(int64_t)63;
    }
}

/* -- passes -- */

static void forward_chunk(void *context, int64_t chunk, int thread)
{
    const struct pass *j = context;
    const int64_t rows = j->outer * j->taps->out, first = chunk * j->per_chunk;
    const int64_t end = rows - first < j->per_chunk ? rows : first + j->per_chunk;

    (void)thread;
    if (j->wide)
        forward_double(j, first, end);
    else
        forward_float(j, first, end);
}

static void backward_chunk(void *context, int64_t chunk, int thread)
{
    const struct pass *j = context;
    const int64_t per_image = (j->inner + LANES - 1) / LANES, first = chunk % per_image * LANES;
    const int64_t end = j->inner - first < LANES ? j->inner : first + LANES;

    (void)thread;
    if (j->wide)
        backward_double(j, chunk / per_image, first, end);
    else
        backward_float(j, chunk / per_image, first, end);
}

static void run_pass(struct pool *pool, struct pass *j)
{
    const int64_t rows = j->outer * j->taps->out;

    if (!j->outer || !j->inner)
        return;
    if (j->adjoint) {
        pool_run(pool, j->outer * ((j->inner + LANES - 1) / LANES), backward_chunk, j);
    } else if (rows) {
        j->per_chunk = CHUNK / (j->inner * j->taps->width + 1) + 1;
        pool_run(pool, (rows + j->per_chunk - 1) / j->per_chunk, forward_chunk, j);
    }
}

static void round_all(double *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        x[k] = nearbyint(x[k]);
}

/* Where the tables end. */
static char *buffers_of(const struct resample *r, void *scratch)
{
    char *at = scratch;
    int64_t bytes;

    for (int k = 0; k < r->count; k++) {
        table_bytes(&r->taps[k], &bytes);
        at += bytes & ~(int64_t)63;
    }
    return at;
}

void resample_run(struct step *s, const struct resample *r, const void *from, void *to)
{
    const enum dtype compute = compute_dtype(r->dtype);
    const enum dtype_class class = dtype_traits[r->dtype].class;
    int64_t dims[MAX_RANK], bytes = 0;
    char *buffer[2];
    int axes[MAX_RANK];

    buffer_bytes(r, &bytes);
    buffer[0] = buffers_of(r, s->scratch);
    buffer[1] = buffer[0] + (bytes & ~(int64_t)63);
    order(r, axes);
    start_dims(r, dims);
    if (!r->count) {
        if (dims_product(dims, 0, r->rank))
            memcpy(to, from, (size_t)dims_product(dims, 0, r->rank) * dtype_size(r->dtype));
        return;
    }
    if (!direct(r->dtype)) {
        convert_between(r->dtype, compute)(from, buffer[1], dims_product(dims, 0, r->rank));
        from = buffer[1];
    }
    for (int k = 0; k < r->count; k++) {
        const struct taps *t = &r->taps[axes[k]];
        const bool last = k == r->count - 1 && direct(r->dtype);
        struct pass j = { .taps = t,
                          .from = from,
                          .to = last ? to : buffer[k % 2],
                          .outer = dims_product(dims, 0, t->axis),
                          .inner = dims_product(dims, t->axis + 1, r->rank) * parts(r->dtype),
                          .wide = compute == F64,
                          .adjoint = r->adjoint };

        run_pass(s->pool, &j);
        dims[t->axis] = r->adjoint ? t->in : t->out;
        from = j.to;
    }
    if (direct(r->dtype))
        return;
    if (class == CLASS_INT || class == CLASS_UINT)
        round_all((double *)(void *)buffer[(r->count + 1) % 2], dims_product(dims, 0, r->rank));
    convert_between(compute, r->dtype)(from, to, dims_product(dims, 0, r->rank));
}
