#include "kernels/map.h"
#include "kernels/parts.h"
#include <string.h>

/* Elements of a chunk: some microseconds of work. Whole arrays below FEW are done by the caller. */
enum { EACH = 16384, FEW = 32768 };

static struct pool *helpers(struct pool *pool, int64_t elements)
{
    return elements < FEW ? NULL : pool;
}

struct map {
    unary_f32 *unary;
    unary_grad_f32 *unary_grad;
    binary_f32 *binary;
    void (*scalar)(const float *, float, float *, int64_t);
    const float *p, *q;
    float *y;
    int64_t n;
    float a, b;
};

/* The range of a chunk; its length is returned. */
static int64_t range(int64_t chunk, int64_t each, int64_t n, int64_t *from)
{
    *from = chunk * each;
    return n - *from < each ? n - *from : each;
}

static void unary_chunk(void *context, int64_t chunk, int thread)
{
    const struct map *m = context;
    int64_t from;
    const int64_t n = range(chunk, EACH, m->n, &from);

    (void)thread;
    m->unary(m->p + from, m->y + from, n, m->a, m->b);
}
void map_unary(struct pool *pool, unary_f32 *f, const float *x, float *y, int64_t n, float a, float b)
{
    struct map m = { .unary = f, .p = x, .y = y, .n = n, .a = a, .b = b };

    pool_run(helpers(pool, n), divide_up(n, EACH), unary_chunk, &m);
}

static void unary_grad_chunk(void *context, int64_t chunk, int thread)
{
    const struct map *m = context;
    int64_t from;
    const int64_t n = range(chunk, EACH, m->n, &from);

    (void)thread;
    m->unary_grad(m->p + from, m->q + from, m->y + from, n, m->a, m->b);
}
void map_unary_grad(struct pool *pool, unary_grad_f32 *f, const float *s, const float *dy, float *dx, int64_t n,
                    float a, float b)
{
    struct map m = { .unary_grad = f, .p = s, .q = dy, .y = dx, .n = n, .a = a, .b = b };

    pool_run(helpers(pool, n), divide_up(n, EACH), unary_grad_chunk, &m);
}

static void binary_chunk(void *context, int64_t chunk, int thread)
{
    const struct map *m = context;
    int64_t from;
    const int64_t n = range(chunk, EACH, m->n, &from);

    (void)thread;
    m->binary(m->p + from, m->q + from, m->y + from, n);
}
void map_binary(struct pool *pool, binary_f32 *f, const float *p, const float *q, float *y, int64_t n)
{
    struct map m = { .binary = f, .p = p, .q = q, .y = y, .n = n };

    pool_run(helpers(pool, n), divide_up(n, EACH), binary_chunk, &m);
}

static void scalar_chunk(void *context, int64_t chunk, int thread)
{
    const struct map *m = context;
    int64_t from;
    const int64_t n = range(chunk, EACH, m->n, &from);

    (void)thread;
    m->scalar(m->p + from, m->a, m->y + from, n);
}
void map_scalar(struct pool *pool, void (*f)(const float *, float, float *, int64_t), const float *p, float q, float *y,
                int64_t n)
{
    struct map m = { .scalar = f, .p = p, .y = y, .n = n, .a = q };

    pool_run(helpers(pool, n), divide_up(n, EACH), scalar_chunk, &m);
}

/* -- rows -- */

struct rows {
    void (*f)(const float *, float *, int64_t);
    binary_f32 *grad;
    const float *p, *q;
    float *y;
    int64_t rows, n, each;
};
static void rows_chunk(void *context, int64_t chunk, int thread)
{
    const struct rows *m = context;
    int64_t from;
    const int64_t count = range(chunk, m->each, m->rows, &from);

    (void)thread;
    for (int64_t r = from; r < from + count; r++)
        if (m->f)
            m->f(m->p + r * m->n, m->y + r * m->n, m->n);
        else
            m->grad(m->p + r * m->n, m->q + r * m->n, m->y + r * m->n, m->n);
}
static void run_rows(struct pool *pool, struct rows *m)
{
    m->each = 1 + EACH / (m->n + 16);
    pool_run(helpers(pool, m->rows * m->n), divide_up(m->rows, m->each), rows_chunk, m);
}
void map_rows(struct pool *pool, void (*f)(const float *, float *, int64_t), const float *x, float *y, int64_t rows,
              int64_t n)
{
    struct rows m = { .f = f, .p = x, .y = y, .rows = rows, .n = n };

    run_rows(pool, &m);
}
void map_rows_grad(struct pool *pool, binary_f32 *f, const float *y, const float *dy, float *dx, int64_t rows,
                   int64_t n)
{
    struct rows m = { .grad = f, .p = y, .q = dy, .y = dx, .rows = rows, .n = n };

    run_rows(pool, &m);
}

/* -- sums -- */

enum { PARTS = 256 }; /* at most, whatever n: partial sums live on the stack */

struct sum {
    const struct kernels *k;
    const float *x;
    int64_t n, each;
    float parts[PARTS];
};
static void sum_chunk(void *context, int64_t chunk, int thread)
{
    struct sum *s = context;
    int64_t from;
    const int64_t n = range(chunk, s->each, s->n, &from);

    (void)thread;
    s->parts[chunk] = s->k->sum(s->x + from, n);
}
float map_sum(const struct kernels *k, struct pool *pool, const float *x, int64_t n)
{
    struct sum s = { .k = k, .x = x, .n = n, .each = n / PARTS + 1 > EACH ? n / PARTS + 1 : EACH };
    const int64_t parts = divide_up(n, s.each);

    pool_run(helpers(pool, n), parts, sum_chunk, &s);
    return k->sum(s.parts, parts);
}

struct sum_rows {
    const struct kernels *k;
    const float *x;
    int64_t rows, columns, each;
    float *y;
};
static void sum_rows_chunk(void *context, int64_t chunk, int thread)
{
    const struct sum_rows *s = context;
    int64_t from;
    const int64_t n = range(chunk, s->each, s->columns, &from);

    (void)thread;
    memset(s->y + from, 0, (size_t)n * sizeof *s->y);
    s->k->sum_rows(s->x + from, s->rows, n, s->columns, s->y + from);
}
void map_sum_rows(const struct kernels *k, struct pool *pool, const float *x, int64_t rows, int64_t columns, float *y)
{
    struct sum_rows s = { k, x, rows, columns, 256, y };

    pool_run(helpers(pool, rows * columns), divide_up(columns, s.each), sum_rows_chunk, &s);
}

/* -- transposition -- */

struct transposition {
    const struct kernels *k;
    int64_t rows, columns, each, groups; /* groups of `each` rows, of every matrix */
    size_t size;
    const char *x;
    char *y;
};
static void transposition_chunk(void *context, int64_t chunk, int thread)
{
    const struct transposition *t = context;
    const int64_t matrix = chunk / t->groups * t->rows * t->columns, size = (int64_t)t->size;
    int64_t from;
    const int64_t n = range(chunk % t->groups, t->each, t->rows, &from);
    const void *const x = t->x + (matrix + from * t->columns) * size;
    void *const y = t->y + (matrix + from) * size;

    (void)thread;
    if (t->size == 4)
        t->k->transpose_4(x, t->columns, y, t->rows, n, t->columns);
    else
        t->k->transpose_8(x, t->columns, y, t->rows, n, t->columns);
}
void map_transpose(const struct kernels *k, struct pool *pool, int64_t batch, int64_t rows, int64_t columns,
                   size_t size, const void *x, void *y)
{
    struct transposition t = { k, rows, columns, 16 * (1 + EACH / 16 / (columns + 1)), 0, size, x, y };

    t.groups = divide_up(rows, t.each);
    pool_run(helpers(pool, batch * rows * columns), batch * t.groups, transposition_chunk, &t);
}
