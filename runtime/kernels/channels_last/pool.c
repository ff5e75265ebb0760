#include "kernels/channels_last/pool.h"
#include "kernels/channels_last/windows.h"
#include "kernels/parts.h"
#include <math.h>
#include <string.h>

/* Work is cut into rows of the output; where windows of neighbouring rows share elements of dx, into images and blocks
 * of channels. */
enum { WORTH = 1 << 16, CHANNEL_BLOCK = 64 }; /* reads of a piece of work; channels of one */
enum { LONG = 1 << 26 };                      /* reads after which the time is looked at */

typedef void windows_loop(const struct pool_windows *w);

struct pool_job {
    const struct kernels *k;
    const struct pool *pool;
    const struct pool_shape *s;
    int64_t channels; /* of the tensors */
    const float *x, *g;
    float *y, *dx;
    windows_loop *loop;
    bool mean;              /* the factor is 1 / count */
    bool apart;             /* no two windows share an element */
    bool covers;            /* and every element is in one */
    int64_t rows;           /* of a chunk */
    int64_t blocks, chunks; /* of channels; of rows of an image */
};

/* How many pixels from `q` on have whole windows. */
static int64_t whole_windows(const struct pool_shape *s, int64_t q)
{
    const int64_t start = q * s->strides[1] - s->pads_begin[1], extent = (s->kernel[1] - 1) * s->dilations[1] + 1;
    int64_t n;

    if (start < 0 || start + extent > s->in[1])
        return 0;
    n = (s->in[1] - extent - start) / s->strides[1] + 1;
    return n < s->out[1] - q ? n : s->out[1] - q;
}

/* One row of output pixels, for channels [c, c + n). */
static void pool_row(const struct pool_job *j, int64_t image, int64_t p, int64_t c, int64_t n)
{
    const struct pool_shape *s = j->s;
    const struct inside h = inside(s, 0, p);
    const int64_t row = s->in[1] * j->channels;
    const int64_t x_at = (image * s->in[0] + p * s->strides[0] - s->pads_begin[0] + h.from * s->dilations[0]) * row + c;
    const int64_t y_at = (image * s->out[0] + p) * s->out[1] * j->channels + c;
    struct pool_windows w = { .rows = h.count,
                              .x_row = s->dilations[0] * row,
                              .x_column = s->dilations[1] * j->channels,
                              .x_pixel = s->strides[1] * j->channels,
                              .y_pixel = j->channels,
                              .channels = n,
                              .add = !j->apart };

    for (int64_t q = 0; q < s->out[1] && !pool_late(j->pool); q += w.pixels) {
        const struct inside v = inside(s, 1, q);
        const int64_t whole = h.count ? lesser(whole_windows(s, q), 1 + LONG / (n * h.count * v.count + 1)) : 0,
                      y = y_at + q * j->channels;
        const int64_t x = x_at + (q * s->strides[1] - s->pads_begin[1] + v.from * s->dilations[1]) * j->channels;

        w.pixels = whole ? whole : 1;
        w.columns = v.count;
        if (!h.count || !v.count) {
            const float none = j->mean ? 0 / (float)(counted(s, 0, p) * counted(s, 1, q)) : -INFINITY;

            for (int64_t k = 0; j->y && k < n; k++)
                j->y[y + k] = none;
            continue;
        }
        if (j->mean)
            w.factor = 1 / (float)(counted(s, 0, p) * counted(s, 1, q));
        w.x = j->x ? j->x + x : NULL;
        w.dx = j->dx ? j->dx + x : NULL;
        w.g = j->g ? j->g + y : NULL;
        w.y = j->y ? j->y + y : NULL;
        j->loop(&w);
    }
}

static void pool_rows(void *context, int64_t chunk, int thread)
{
    const struct pool_job *j = context;
    const int64_t image = chunk / j->chunks, from = chunk % j->chunks * j->rows;
    const int64_t end = from + j->rows < j->s->out[0] ? from + j->rows : j->s->out[0];

    (void)thread;
    for (int64_t p = from; p < end; p++)
        pool_row(j, image, p, 0, j->channels);
}

/* Rows of dx that belong to the output's rows before `p`. */
static int64_t rows_before(const struct pool_shape *s, int64_t p)
{
    const int64_t at = p * s->strides[0] - s->pads_begin[0];

    return p == 0 || at < 0 ? 0 : p >= s->out[0] || at > s->in[0] ? s->in[0] : at;
}

static void spread_rows(void *context, int64_t chunk, int thread)
{
    const struct pool_job *j = context;
    const struct pool_shape *s = j->s;
    const int64_t image = chunk / j->chunks, from = chunk % j->chunks * j->rows;
    const int64_t end = from + j->rows < s->out[0] ? from + j->rows : s->out[0];
    const int64_t row = s->in[1] * j->channels, first = rows_before(s, from), last = rows_before(s, end);

    if (!j->covers)
        memset(j->dx + (image * s->in[0] + first) * row, 0, (size_t)((last - first) * row) * sizeof(float));
    pool_rows(context, chunk, thread);
}

static void spread_block(void *context, int64_t chunk, int thread)
{
    const struct pool_job *j = context;
    const struct pool_shape *s = j->s;
    const int64_t image = chunk / j->blocks, c = chunk % j->blocks * CHANNEL_BLOCK, pixels = s->in[0] * s->in[1];
    const int64_t n = j->channels - c < CHANNEL_BLOCK ? j->channels - c : CHANNEL_BLOCK;
    float *const dx = j->dx + image * pixels * j->channels + c;

    (void)thread;
    for (int64_t k = 0; k < pixels; k++)
        memset(dx + k * j->channels, 0, (size_t)n * sizeof *dx);
    for (int64_t p = 0; p < s->out[0]; p++)
        pool_row(j, image, p, c, n);
}

static bool windows_apart(const struct pool_shape *s)
{
    for (int d = 0; d < 2; d++)
        if ((s->kernel[d] - 1) * s->dilations[d] + 1 > s->strides[d])
            return false;
    return true;
}

static bool windows_cover(const struct pool_shape *s)
{
    for (int d = 0; d < 2; d++)
        if (s->dilations[d] > 1 || s->kernel[d] != s->strides[d] || s->pads_begin[d] ||
            s->out[d] * s->strides[d] != s->in[d])
            return false;
    return true;
}

static void run(struct pool *pool, struct pool_job *j, bool back)
{
    const struct pool_shape *s = j->s;
    const double taps =
        (double)s->kernel[0] * (double)s->kernel[1]; /* more than can be counted, where pads are large */
    const double reads = (double)s->out[1] * (double)j->channels * taps; /* of a row */

    if (!s->planes || !j->channels || !s->in[0] || !s->in[1])
        return;
    j->pool = pool;
    j->apart = windows_apart(s);
    j->covers = windows_cover(s);
    if (back && !j->apart) {
        j->blocks = divide_up(j->channels, CHANNEL_BLOCK);
        pool_run(pool, s->planes * j->blocks, spread_block, j);
        return;
    }
    if (!s->out[0] || !s->out[1]) {
        if (back)
            memset(j->dx, 0, (size_t)(s->planes * s->in[0] * s->in[1] * j->channels) * sizeof(float));
        return;
    }
    j->rows = 1 + (int64_t)(WORTH / (reads + 1));
    j->rows = j->rows < s->out[0] ? j->rows : s->out[0];
    j->chunks = divide_up(s->out[0], j->rows);
    pool_run(pool, s->planes * j->chunks, back ? spread_rows : pool_rows, j);
}

void max_pool_last(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                   const float *x, float *y)
{
    const struct pool_shape shape = lifted(s);
    struct pool_job j = { .k = k, .s = &shape, .channels = channels, .x = x, .y = y, .loop = k->pool->windows_max };

    run(pool, &j, false);
}

void max_pool_last_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                        const float *x, const float *dy, float *dx)
{
    const struct pool_shape shape = lifted(s);
    struct pool_job j = {
        .k = k, .s = &shape, .channels = channels, .x = x, .g = dy, .dx = dx, .loop = k->pool->windows_max_grad
    };

    run(pool, &j, true);
}

void average_pool_last(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                       const float *x, float *y)
{
    const struct pool_shape shape = lifted(s);
    struct pool_job j = {
        .k = k, .s = &shape, .channels = channels, .x = x, .y = y, .loop = k->pool->windows_sum, .mean = true
    };

    run(pool, &j, false);
}

void average_pool_last_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                            const float *dy, float *dx)
{
    const struct pool_shape shape = lifted(s);
    struct pool_job j = {
        .k = k, .s = &shape, .channels = channels, .g = dy, .dx = dx, .loop = k->pool->windows_spread, .mean = true
    };

    run(pool, &j, true);
}
