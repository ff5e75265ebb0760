#include "kernels/softmax.h"
#include "kernels/parts.h"
#include "tensor/half.h"
#include <math.h>
#include <string.h>

/* Rows that do not lie in memory as the table wants them (strided, or halves) are gathered, LANES neighbours at a time,
 * computed and scattered back. */
enum { LANES = 16, ENOUGH = 8192 };

/* -- one row of double -- */

static double exp_row(const double *x, double *y, int64_t n, double *most)
{
    double sum = 0;

    *most = -(double)INFINITY;
    for (int64_t i = 0; i < n; i++)
        *most = x[i] > *most || x[i] != x[i] ? x[i] : *most;
    for (int64_t i = 0; i < n; i++) {
        const double e = exp(x[i] - *most);

        sum += e;
        if (y)
            y[i] = e;
    }
    return sum;
}

static void softmax_f64(const double *x, double *y, int64_t n)
{
    double most;
    const double sum = exp_row(x, y, n, &most);

    for (int64_t i = 0; i < n; i++)
        y[i] /= sum;
}

static void log_softmax_f64(const double *x, double *y, int64_t n)
{
    double most;
    const double shift = log(exp_row(x, NULL, n, &most));

    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] - most - shift;
}

static void softmax_grad_f64(const double *y, const double *dy, double *dx, int64_t n)
{
    double dot = 0;

    for (int64_t i = 0; i < n; i++)
        dot += y[i] * dy[i];
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - dot);
}

static void log_softmax_grad_f64(const double *y, const double *dy, double *dx, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += dy[i];
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] - exp(y[i]) * sum;
}

/* -- gather and scatter -- */

struct softmax_job {
    const struct kernels *k;
    struct softmax_shape s;
    enum dtype dtype;
    bool log_of, back;
    const char *p, *q; /* x, or y and dy */
    char *to;
    char *scratch;
    size_t slice; /* bytes of scratch of a thread */
    int64_t tiles, group;
};

/* tile[l][i] = x[i * inner + l] */
static void gather_4(const float *x, int64_t inner, int64_t lanes, int64_t n, float *tile)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < lanes; l++)
            tile[l * n + i] = x[i * inner + l];
}

static void gather_8(const double *x, int64_t inner, int64_t lanes, int64_t n, double *tile)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < lanes; l++)
            tile[l * n + i] = x[i * inner + l];
}

static void gather_half(enum dtype dtype, const uint16_t *x, int64_t inner, int64_t lanes, int64_t n, float *tile)
{
    float block[LANES];

    if (inner == 1) {
        widen(dtype, x, tile, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        widen(dtype, x + i * inner, block, lanes);
        for (int64_t l = 0; l < lanes; l++)
            tile[l * n + i] = block[l];
    }
}

static void scatter_4(const float *tile, int64_t inner, int64_t lanes, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < lanes; l++)
            y[i * inner + l] = tile[l * n + i];
}

static void scatter_8(const double *tile, int64_t inner, int64_t lanes, int64_t n, double *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < lanes; l++)
            y[i * inner + l] = tile[l * n + i];
}

static void scatter_half(enum dtype dtype, const float *tile, int64_t inner, int64_t lanes, int64_t n, uint16_t *y)
{
    float block[LANES];

    if (inner == 1) {
        narrow(dtype, tile, y, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t l = 0; l < lanes; l++)
            block[l] = tile[l * n + i];
        narrow(dtype, block, y + i * inner, lanes);
    }
}

static void gather(const struct softmax_job *j, const char *from, int64_t at, int64_t lanes, void *tile)
{
    const void *x = from + (size_t)at * dtype_size(j->dtype);

    if (j->dtype == F32)
        gather_4(x, j->s.inner, lanes, j->s.n, tile);
    else if (j->dtype == F64)
        gather_8(x, j->s.inner, lanes, j->s.n, tile);
    else
        gather_half(j->dtype, x, j->s.inner, lanes, j->s.n, tile);
}

static void scatter(const struct softmax_job *j, const void *tile, int64_t at, int64_t lanes)
{
    void *y = j->to + (size_t)at * dtype_size(j->dtype);

    if (j->dtype == F32)
        scatter_4(tile, j->s.inner, lanes, j->s.n, y);
    else if (j->dtype == F64)
        scatter_8(tile, j->s.inner, lanes, j->s.n, y);
    else
        scatter_half(j->dtype, tile, j->s.inner, lanes, j->s.n, y);
}

/* -- rows -- */

static void row_f32(const struct softmax_job *j, const float *p, const float *q, float *y)
{
    if (j->back)
        (j->log_of ? j->k->softmax->log_row_grad : j->k->softmax->row_grad)(p, q, y, j->s.n);
    else
        (j->log_of ? j->k->softmax->log_row : j->k->softmax->row)(p, y, j->s.n);
}

static void row_f64(const struct softmax_job *j, const double *p, const double *q, double *y)
{
    if (j->back)
        (j->log_of ? log_softmax_grad_f64 : softmax_grad_f64)(p, q, y, j->s.n);
    else
        (j->log_of ? log_softmax_f64 : softmax_f64)(p, y, j->s.n);
}

static void one_tile(const struct softmax_job *j, int64_t tile, char *scratch)
{
    const int64_t first = tile % j->tiles * LANES, n = j->s.n;
    const int64_t at = tile / j->tiles * n * j->s.inner + first;
    const int64_t lanes = j->s.inner - first < LANES ? j->s.inner - first : LANES;
    char *p = scratch, *q = scratch + j->slice / 2;

    gather(j, j->p, at, lanes, p);
    if (j->back)
        gather(j, j->q, at, lanes, q);
    for (int64_t l = 0; l < lanes; l++)
        if (j->dtype == F64)
            row_f64(j, (double *)(void *)p + l * n, (double *)(void *)q + l * n, (double *)(void *)p + l * n);
        else
            row_f32(j, (float *)(void *)p + l * n, (float *)(void *)q + l * n, (float *)(void *)p + l * n);
    scatter(j, p, at, lanes);
}

static void chunk_of_tiles(void *context, int64_t chunk, int thread)
{
    const struct softmax_job *j = context;
    const int64_t all = j->s.outer * j->tiles, from = chunk * j->group;
    const int64_t to = from + j->group < all ? from + j->group : all;

    for (int64_t t = from; t < to; t++)
        one_tile(j, t, j->scratch + (size_t)thread * j->slice);
}

static void chunk_of_rows(void *context, int64_t chunk, int thread)
{
    const struct softmax_job *j = context;
    const int64_t from = chunk * j->group, n = j->s.n;
    const int64_t to = from + j->group < j->s.outer ? from + j->group : j->s.outer;

    (void)thread;
    for (int64_t r = from; r < to; r++) {
        const size_t at = (size_t)(r * n) * dtype_size(j->dtype);
        const void *p = j->p + at, *q = j->back ? j->q + at : NULL;
        void *y = j->to + at;

        if (j->dtype == F64)
            row_f64(j, p, q, y);
        else
            row_f32(j, p, q, y);
    }
}

static bool in_place(const struct softmax_shape *s, enum dtype dtype)
{
    return s->inner == 1 && (dtype == F32 || dtype == F64);
}

static size_t slice_of(const struct softmax_shape *s, enum dtype dtype)
{
    const int64_t lanes = s->inner < LANES ? s->inner : LANES;
    const size_t tile = (size_t)(s->n * lanes) * (dtype == F64 ? sizeof(double) : sizeof(float));

    return 2 * ((tile + 63) & ~(size_t)63);
}

size_t softmax_scratch(const struct softmax_shape *s, enum dtype dtype, int threads)
{
    return in_place(s, dtype) ? 0 : slice_of(s, dtype) * (size_t)threads;
}

static void run(struct pool *pool, struct softmax_job *j)
{
    const struct softmax_shape *s = &j->s;
    int64_t units, work;

    if (!s->outer || !s->n || !s->inner)
        return;
    j->slice = slice_of(s, j->dtype);
    j->tiles = divide_up(s->inner, LANES);
    units = in_place(s, j->dtype) ? s->outer : s->outer * j->tiles;
    work = s->n * (s->inner < LANES ? s->inner : LANES);
    j->group = work < ENOUGH ? divide_up(ENOUGH, work) : 1;
    pool_run(pool, divide_up(units, j->group), in_place(s, j->dtype) ? chunk_of_rows : chunk_of_tiles, j);
}

void softmax(const struct kernels *k, struct pool *pool, const struct softmax_shape *s, enum dtype dtype, bool log_of,
             const void *x, void *y, void *scratch)
{
    struct softmax_job j = { .k = k, .s = *s, .dtype = dtype, .log_of = log_of, .p = x, .to = y, .scratch = scratch };

    run(pool, &j);
}

void softmax_grad(const struct kernels *k, struct pool *pool, const struct softmax_shape *s, enum dtype dtype,
                  bool log_of, const void *y, const void *dy, void *dx, void *scratch)
{
    struct softmax_job j = {
        .k = k, .s = *s, .dtype = dtype, .log_of = log_of, .back = true, .p = y, .q = dy, .to = dx, .scratch = scratch
    };

    run(pool, &j);
}
