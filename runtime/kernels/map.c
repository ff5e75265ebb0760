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
    const struct kernels *k;
    const struct formula *formula;
    struct numbers numbers;
    const float *x;
    float *y;
    int64_t n;
};

/* The range of a chunk; its length is returned. */
static int64_t range(int64_t chunk, int64_t each, int64_t n, int64_t *from)
{
    *from = chunk * each;
    return n - *from < each ? n - *from : each;
}

static void formula_chunk(void *context, int64_t chunk, int thread)
{
    const struct map *m = context;
    int64_t from;
    const int64_t n = range(chunk, EACH, m->n, &from);

    (void)thread;
    formula_of_1(m->formula, m->k, m->numbers, m->x + from, m->y + from, n);
}
void map_formula(const struct kernels *k, struct pool *pool, const struct formula *f, struct numbers numbers,
                 const float *x, float *y, int64_t n)
{
    struct map m = { k, f, numbers, x, y, n };

    pool_run(helpers(pool, n), divide_up(n, EACH), formula_chunk, &m);
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
