#include "kernels/kernels.h"
#include "ops/compute.h"
#include "ops/elementwise.h"
#include "ops/lrn.h"
#include "ops/registry.h"
#include <string.h>

/* Some places at a time. Each one's channels get room on both sides, so that a window is a sum of shifted rows: rows of
 * zeros and values, `reach` before and behind the channels. */

enum { BLOCK = 4096 }; /* elements, about */

struct lrn_last_job {
    const struct pool *pool;
    const struct lrn *a;
    const struct kernels *k;
    const float *x, *dy;
    float *to;
    int64_t places, channels;
    int64_t reach, row; /* channels that a window has on one side at most; of a row with its room */
    int64_t before, after;
    int64_t block; /* places */
    char *scratch;
    size_t slice;
};

static struct lrn_last_job job_of(const struct lrn *a, const struct tensor *x)
{
    struct lrn_last_job j = { .a = a,
                              .channels = x->dims[x->rank - 1],
                              .places = dims_product(x->dims, 0, x->rank - 1) };
    const int64_t widest = j.channels ? j.channels - 1 : 0, before = (a->size - 1) / 2, after = a->size - 1 - before;

    j.before = before < widest ? before : widest;
    j.after = after < widest ? after : widest;
    j.reach = j.before > j.after ? j.before : j.after;
    j.row = j.channels + 2 * j.reach;
    j.block = BLOCK / (j.channels + 1) + 1;
    return j;
}

/* Of a thread: rows with room, and as many elements three times. */
static size_t slice_of(const struct lrn_last_job *j)
{
    return aligned((size_t)(j->block * (j->row + 3 * j->channels)) * sizeof(float));
}

size_t lrn_last_scratch(const struct lrn *a, const struct tensor *x, int threads)
{
    const struct lrn_last_job j = job_of(a, x);

    return (size_t)threads * slice_of(&j);
}

/* sum[c] = sum of the rows from c - before to c + after */
static void add_windows(const struct lrn_last_job *j, const float *rows, int64_t places, int64_t before, int64_t after,
                        float *sum)
{
    for (int64_t p = 0; p < places; p++) {
        const float *const first = rows + p * j->row + j->reach - before;
        float *const to = sum + p * j->channels;

        memcpy(to, first, (size_t)j->channels * sizeof *to);
        for (int64_t w = 1; w <= before + after && !pool_late(j->pool); w++)
            j->k->map->add(to, first + w, to, j->channels);
    }
}

static void apply(const struct kernels *k, const struct op *op, const float *x, float *y, int64_t n)
{
    formula_of_1(formula_of(op), k, (struct numbers){ 0 }, x, y, n);
}

/* s^-beta; of the usual beta, 3/4, by roots, which are exact to the last bit. s stays; `spare` is written. */
static void powers(const struct lrn_last_job *j, const float *s, int64_t n, float *power, float *spare)
{
    const struct kernels *k = j->k;

    if (j->a->beta == .75f) {
        apply(k, &op_sqrt, s, power, n);
        apply(k, &op_sqrt, power, spare, n);
        k->map->mul(power, spare, power, n);
        apply(k, &op_reciprocal, power, power, n);
        return;
    }
    apply(k, &op_log, s, power, n);
    k->map->affine(power, power, n, -j->a->beta, 0);
    apply(k, &op_exp, power, power, n);
}

static void run_block(void *context, int64_t chunk, int thread)
{
    const struct lrn_last_job *j = context;
    const struct kernels *k = j->k;
    const int64_t first = chunk * j->block, places = j->places - first < j->block ? j->places - first : j->block;
    const int64_t n = places * j->channels;
    const float *const x = j->x + first * j->channels, *const dy = j->dy ? j->dy + first * j->channels : NULL;
    float *const to = j->to + first * j->channels;
    float *const rows = (float *)(void *)(j->scratch + (size_t)thread * j->slice);
    float *const s = rows + j->block * j->row, *const power = s + j->block * j->channels,
                 *const spare = power + j->block * j->channels;

    memset(rows, 0, (size_t)(places * j->row) * sizeof *rows);
    for (int64_t p = 0; p < places; p++)
        k->map->mul(x + p * j->channels, x + p * j->channels, rows + p * j->row + j->reach, j->channels);
    add_windows(j, rows, places, j->before, j->after, s);
    k->map->affine(s, s, n, j->a->alpha / (float)j->a->size, j->a->bias);
    powers(j, s, n, power, spare);
    if (!dy) {
        k->map->mul(x, power, to, n);
        return;
    }
    /* dx = dy * s^-beta - 2 * alpha * beta / size * x * sum of p, p = dy * x * s^(-beta - 1), over the windows that
     * hold the channel */
    k->map->mul(dy, power, spare, n);
    formula_of_2(formula_of(&op_div), k, (struct numbers){ 0 }, spare, s, s, n);
    k->map->mul(s, x, s, n);
    for (int64_t p = 0; p < places; p++)
        memcpy(rows + p * j->row + j->reach, s + p * j->channels, (size_t)j->channels * sizeof *rows);
    add_windows(j, rows, places, j->after, j->before, s);
    k->map->mul(s, x, s, n);
    memcpy(to, spare, (size_t)n * sizeof *to);
    k->map->axpy(-2 * j->a->alpha * j->a->beta / (float)j->a->size, s, to, n);
}

void lrn_last(const struct step *s, const struct tensor *x, const struct tensor *dy, const struct tensor *to)
{
    struct lrn_last_job j = job_of(s->attrs, x);

    j.k = s->k;
    j.pool = s->pool;
    j.x = x->data;
    j.dy = dy ? dy->data : NULL;
    j.to = to->data;
    j.scratch = s->scratch;
    j.slice = slice_of(&j);
    pool_run(s->pool, j.channels ? (j.places + j.block - 1) / j.block : 0, run_block, &j);
}
