#include "kernels/attention.h"
#include "kernels/dense_block.h"
#include "kernels/parts.h"
#include "tensor/half.h"
#include <math.h>
#include <string.h>

enum {
    ROWS = 128,          /* queries of a tile, those of a group one by one */
    KEYS = 256,          /* of a tile: with their values they stay in the second-level cache */
    SCORES = 1 << 16,    /* of a tile, where all keys must be in one */
    SPLIT = 1024,        /* keys that are worth a job of their own, where there are few queries */
    WORTH = JOB_ELEMENTS /* scores of a job */
};

/* -- how it is cut -- */

struct cut {
    int64_t all_rows, rows, blocks; /* of a head of keys: queries times group, those of a tile, tiles */
    int64_t all_keys, keys;
    int64_t splits; /* parts of all keys, each for itself at first */
    int64_t jobs, each;
};

static struct cut cut_of(const struct attention *a)
{
    struct cut c = { .all_rows = a->queries * a->group, .all_keys = a->length[0] + a->length[1], .splits = 1 };

    c.keys = a->scores.data ? c.all_keys : lesser(KEYS, c.all_keys);
    c.rows = lesser(ROWS, c.all_rows);
    if (a->scores.data)
        c.rows = lesser(c.rows, greater(1, SCORES / greater(1, c.keys)));
    c.blocks = c.rows ? divide_up(c.all_rows, c.rows) : 0;
    c.jobs = a->batch * a->heads * c.blocks;
    if (!a->scores.data && c.jobs > 0 && c.jobs < ENOUGH_JOBS)
        c.splits = greater(1, lesser(divide_up(ENOUGH_JOBS, c.jobs), c.all_keys / SPLIT));
    c.jobs *= c.splits;
    c.each = 1 + WORTH / greater(1, c.rows * divide_up(c.all_keys, c.splits));
    return c;
}

/* Some queries of a head of keys. */
struct place {
    int64_t batch, head, first, rows; /* row r is query (first + r) / group, of head (first + r) % group of the group */
    struct span keys;                 /* that any of them may see */
};

/* Of the keys, those that one query may see. What the mask says of them is another matter. */
static struct span keys_of_query(const struct attention *a, int64_t batch, int64_t query)
{
    const int64_t all = a->length[0] + a->length[1];
    const int64_t at = (a->valid ? a->valid[batch] - a->queries : a->offset) + query; /* may be below 0 */
    int64_t from = 0, to = a->valid ? lesser(all, a->valid[batch]) : all;

    if (a->mask.data)
        to = lesser(to, a->mask.keys);
    if (a->causal)
        to = lesser(to, at + 1);
    if (a->right >= 0 && a->right < all + a->queries) /* else it reaches behind all of them */
        to = lesser(to, at + a->right + 1);
    if (a->left >= 0 && a->left < at)
        from = at - a->left;
    to = greater(0, to);
    return (struct span){ lesser(from, to), to };
}

static struct place place_of(const struct attention *a, const struct cut *c, int64_t batch, int64_t head, int64_t block)
{
    const int64_t first = even_start(c->all_rows, c->blocks, block);
    struct place p = { batch, head, first, even_start(c->all_rows, c->blocks, block + 1) - first, { 0, 0 } };

    p.keys.from = keys_of_query(a, batch, first / a->group).from; /* neither end falls from query to query */
    p.keys.to = keys_of_query(a, batch, (first + p.rows - 1) / a->group).to;
    return p;
}

static int64_t query_of(const struct attention *a, const struct place *p, int64_t r)
{
    return (p->first + r) / a->group;
}

static int64_t head_of(const struct attention *a, const struct place *p, int64_t r)
{
    return p->head * a->group + (p->first + r) % a->group;
}

/* Where in the rows that one begins which has this query's: of queries and of results. */
static int64_t row_at(const struct attention *a, const struct attention_rows *rows, const struct place *p, int64_t r)
{
    return p->batch * rows->batch + head_of(a, p, r) * rows->head + query_of(a, p, r) * rows->row;
}

static int64_t sum_at(const struct attention *a, const struct place *p, int64_t r)
{
    return (p->batch * a->heads * a->group + head_of(a, p, r)) * a->queries + query_of(a, p, r);
}

/* What of keys [at, end) is of a part, counted from its first one. A tile has a column for each, from `at` on. */
static struct span of_part(const struct attention *a, int part, int64_t at, int64_t end)
{
    const int64_t first = part ? a->length[0] : 0;

    return (struct span){ greater(0, at - first), lesser(a->length[part], end - first) };
}

/* -- rows of one type -- */

static void load_f64(enum dtype dtype, const void *x, int64_t at, int64_t n, double *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = dtype == F64   ? ((const double *)x)[at + i]
                : dtype == F32 ? (double)((const float *)x)[at + i]
                               : (double)half_to_f32(dtype, ((const uint16_t *)x)[at + i]);
}

static void store_f64(enum dtype dtype, const double *x, int64_t n, void *to, int64_t at)
{
    for (int64_t i = 0; i < n; i++)
        if (dtype == F64)
            ((double *)to)[at + i] = x[i];
        else if (dtype == F32)
            ((float *)to)[at + i] = (float)x[i];
        else
            ((uint16_t *)to)[at + i] = dtype == F16 ? f64_to_f16(x[i]) : f32_to_half(dtype, (float)x[i]);
}

#define load_f32  load_floats
#define store_f32 store_floats

static float most_f32(const struct kernels *k, const float *x, int64_t n)
{
    return k->reduce->max_of(x, n);
}

static double most_f64(const struct kernels *k, const double *x, int64_t n)
{
    double most = -INFINITY;

    (void)k;
    for (int64_t i = 0; i < n && !isnan(most); i++)
        most = x[i] <= most ? most : x[i];
    return most;
}

static float exps_f32(const struct kernels *k, float *x, int64_t n, float top)
{
    return k->softmax->exps(x, n, top);
}

static double exps_f64(const struct kernels *k, double *x, int64_t n, double top)
{
    double sum = 0;

    (void)k;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] = exp(x[i] - top);
    return sum;
}

static void capped_f32(const struct kernels *k, float *x, int64_t n, float cap)
{
    k->softmax->capped(x, n, cap);
}

static void capped_f64(const struct kernels *k, double *x, int64_t n, double cap)
{
    (void)k;
    for (int64_t i = 0; i < n; i++)
        x[i] = cap * tanh(x[i] / cap);
}

static void biased_f32(const struct kernels *k, float *x, const float *bias, int64_t n)
{
    k->softmax->biased(x, bias, n);
}

static void biased_f64(const struct kernels *k, double *x, const double *bias, int64_t n)
{
    (void)k;
    for (int64_t i = 0; i < n; i++)
        x[i] = isinf(bias[i]) && bias[i] < 0 ? -INFINITY : x[i] + bias[i];
}

static void masked_f32(const struct kernels *k, float *x, const uint8_t *mask, int64_t n)
{
    k->softmax->masked(x, mask, n);
}

static void masked_f64(const struct kernels *k, double *x, const uint8_t *mask, int64_t n)
{
    (void)k;
    for (int64_t i = 0; i < n; i++)
        x[i] = mask[i] ? x[i] : -INFINITY;
}

/* -- a thread's memory -- */

struct room {
    void *q, *scores, *y, *most, *sum; /* rows: scores [rows, keys], and what becomes of them */
    void *k, *v, *panel, *bias;        /* keys, where they are of another type */
    void *dy, *back, *capped, *dq, *dk, *dv;
};

/* An address, not a pointer: where there is no memory yet it is a number that is counted. */
static void *take(uintptr_t *at, size_t size, int64_t n)
{
    void *const p = (void *)*at;

    *at += aligned(size * (size_t)n);
    return p;
}

/* Where each part is; `memory` may be NULL to count. Returns how much it is. */
static size_t room_of(const struct attention *a, const struct cut *c, bool back, char *memory, struct room *m)
{
    const size_t size = dtype_size(a->compute);
    uintptr_t at = (uintptr_t)memory;

    m->q = take(&at, size, c->rows * a->size);
    m->scores = take(&at, size, c->rows * c->keys);
    m->y = take(&at, size, c->rows * a->value_size);
    m->most = take(&at, size, c->rows);
    m->sum = take(&at, size, c->rows);
    m->k = take(&at, size, c->keys * a->size);
    m->v = take(&at, size, c->keys * a->value_size);
    m->panel = take(&at, size, c->keys * greater(a->size, back ? a->value_size : 0));
    m->bias = take(&at, size, c->keys);
    if (!back)
        return (size_t)(at - (uintptr_t)memory);
    m->dy = take(&at, size, c->rows * a->value_size);
    m->back = take(&at, size, c->rows * c->keys);
    m->capped = take(&at, size, a->cap > 0 ? c->rows * c->keys : 0);
    m->dq = take(&at, size, c->rows * a->size);
    m->dk = take(&at, size, c->all_keys * a->size);
    m->dv = take(&at, size, c->all_keys * a->value_size);
    return (size_t)(at - (uintptr_t)memory);
}

/* What a split leaves of its queries: y, most and sum. */
static size_t left_bytes(const struct attention *a, const struct cut *c)
{
    return c->splits == 1 ? 0 : aligned((size_t)(c->rows * (a->value_size + 2)) * dtype_size(a->compute));
}

struct work {
    const struct kernels *k;
    struct pool *pool;
    const struct attention *a;
    const struct attention_grad *g;
    struct cut cut;
    char *rooms, *left;
    size_t room_bytes, left_bytes;
};

static void put_in_left(const struct attention *a, const struct place *p, char *left, struct room *m)
{
    const size_t size = dtype_size(a->compute);

    m->y = left;
    m->most = left + size * (size_t)(p->rows * a->value_size);
    m->sum = left + size * (size_t)(p->rows * (a->value_size + 1));
}

#define REAL      float
#define REAL_TYPE F32
#define NAME(x)   x##_f32
#include "kernels/attention_body.h"
#include "kernels/attention_grad_body.h"
#undef REAL
#undef REAL_TYPE
#undef NAME
#define REAL      double
#define REAL_TYPE F64
#define NAME(x)   x##_f64
#include "kernels/attention_body.h"
#include "kernels/attention_grad_body.h"
#undef REAL
#undef REAL_TYPE
#undef NAME

/* -- forward -- */

static void one_job(const struct work *w, int64_t job, struct room *m)
{
    const struct attention *a = w->a;
    const struct cut *c = &w->cut;
    const int64_t split = job % c->splits, block = job / c->splits % c->blocks, head = job / c->splits / c->blocks;
    struct place p = place_of(a, c, head / a->heads, head % a->heads, block);

    if (c->splits > 1) {
        p.keys.from = greater(p.keys.from, even_start(c->all_keys, c->splits, split));
        p.keys.to = lesser(p.keys.to, even_start(c->all_keys, c->splits, split + 1));
        put_in_left(a, &p, w->left + (size_t)job * w->left_bytes, m);
    }
    (a->compute == F64 ? attend_f64 : attend_f32)(w, &p, m);
}

static void jobs(void *context, int64_t chunk, int thread)
{
    const struct work *w = context;
    struct room m;

    room_of(w->a, &w->cut, false, w->rooms + (size_t)thread * w->room_bytes, &m);
    for (int64_t job = chunk * w->cut.each; job < (chunk + 1) * w->cut.each && job < w->cut.jobs; job++)
        one_job(w, job, &m);
}

static void join_splits(void *context, int64_t job, int thread)
{
    const struct work *w = context;
    const struct attention *a = w->a;
    const int64_t block = job % w->cut.blocks, head = job / w->cut.blocks;
    const struct place p = place_of(a, &w->cut, head / a->heads, head % a->heads, block);
    char *const left = w->left + (size_t)(job * w->cut.splits) * w->left_bytes;

    (void)thread;
    (a->compute == F64 ? join_f64 : join_f32)(w, &p, left);
}

size_t attention_scratch(const struct attention *a, int threads)
{
    const struct cut c = cut_of(a);
    struct room m;

    return room_of(a, &c, false, NULL, &m) * (size_t)threads + left_bytes(a, &c) * (size_t)c.jobs;
}

void attention(const struct kernels *k, struct pool *pool, const struct attention *a, void *scratch)
{
    struct work w = { .k = k, .pool = pool, .a = a, .cut = cut_of(a), .rooms = scratch };
    struct pool *helpers;
    struct room m;

    if (!w.cut.jobs)
        return;
    helpers = w.cut.jobs <= w.cut.each ? NULL : pool;
    w.room_bytes = room_of(a, &w.cut, false, NULL, &m);
    w.left_bytes = left_bytes(a, &w.cut);
    w.left = w.rooms + w.room_bytes * (size_t)pool_threads(pool);
    pool_run(helpers, divide_up(w.cut.jobs, w.cut.each), jobs, &w);
    if (w.cut.splits > 1)
        pool_run(helpers, w.cut.jobs / w.cut.splits, join_splits, &w);
}

/* -- back -- */

static struct cut grad_cut(const struct attention *a)
{
    struct cut c = cut_of(a);

    c.jobs = a->batch * a->heads;
    c.splits = c.each = 1;
    return c;
}

static void head_back(void *context, int64_t job, int thread)
{
    const struct work *w = context;
    const struct attention *a = w->a;
    struct room m;

    room_of(a, &w->cut, true, w->rooms + (size_t)thread * w->room_bytes, &m);
    (a->compute == F64 ? go_back_f64 : go_back_f32)(w, job / a->heads, job % a->heads, &m);
}

size_t attention_grad_scratch(const struct attention *a, int threads)
{
    const struct cut c = grad_cut(a);
    struct room m;

    return room_of(a, &c, true, NULL, &m) * (size_t)threads;
}

void attention_grad(const struct kernels *k, struct pool *pool, const struct attention *a,
                    const struct attention_grad *g, void *scratch)
{
    struct work w = { .k = k, .pool = pool, .a = a, .g = g, .cut = grad_cut(a), .rooms = scratch };
    struct room m;

    w.room_bytes = room_of(a, &w.cut, true, NULL, &m);
    pool_run(w.cut.all_rows * w.cut.all_keys * w.cut.jobs < WORTH ? NULL : pool, w.cut.jobs, head_back, &w);
}
