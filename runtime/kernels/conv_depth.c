#include "kernels/conv_depth.h"
#include "kernels/bands.h"
#include "kernels/conv_axis.h"
#include "kernels/conv_pack.h"
#include "kernels/conv_plain.h"
#include "kernels/machine.h"
#include <math.h>
#include <string.h>

enum { BAND_BYTES = NEAREST_CACHE / 4 * 3 }; /* of a copy of some rows: it stays in the nearest cache */

struct depth {
    const struct kernels *k;
    struct pool *pool;
    struct axis down, along;
    int64_t batch, channels, times; /* channels of the input, and how many each one makes of the result */
    int64_t reach;                  /* rows that a window spans */
    int64_t every;                  /* rows of the result that are so far apart have windows some taps apart */
    int64_t width, row;             /* of the copy: of the pixels of one residue of the stride, of all of them */
    int64_t band, rows;             /* rows of the result at once, and those of x that they span */
    int64_t planes;                 /* of a chunk */
    const float *x, *w, *bias;
    float *y;
    char *scratch;
    bool relu;
    const struct conv_shape *shape;
};

/* The memory of a thread. */
struct place {
    int64_t *x_at;
    float *copy;
};

bool conv_depth_fits(const struct kernels *k, const struct conv_shape *s, enum dtype dtype)
{
    if (dtype != F32 || !k->conv->plane_rows || s->in_channels != s->groups || s->rank < 1 || s->rank > 2)
        return false;
    for (int d = 0; d < s->rank; d++)
        if (s->in[d] < 1 || s->out[d] < 1 || s->strides[d] > s->in[d] + 1 || s->dilations[d] > s->in[d] + 1)
            return false;
    return s->in_channels > 0 && s->out_channels > 0;
}

static struct depth depth_of(const struct kernels *k, const struct conv_shape *s)
{
    const struct axis one = { .in = 1, .count = 1, .step = 1, .taps = 1, .stride = 1, .spread = 1, .kernel_step = 1 };
    struct depth d = {
        .k = k,
        .down = s->rank == 2 ? axis_forward(s, 0) : one,
        .along = axis_forward(s, s->rank - 1),
        .batch = s->batch,
        .channels = s->in_channels,
        .times = s->out_channels / s->in_channels,
    };
    int64_t fit, work;

    d.every = d.down.spread / common_divisor(d.down.spread, d.down.stride);
    d.reach = (d.down.taps - 1) * d.down.spread + 1;
    d.width = d.along.count + (d.along.taps - 1) * d.along.spread / d.along.stride + 1;
    d.row = d.width * lesser(d.along.stride, (d.along.taps - 1) * d.along.spread + 1);
    fit = BAND_BYTES / (d.row * (int64_t)sizeof(float));
    d.band = lesser(d.down.count, greater((fit - d.reach) / d.down.stride + 1, 8));
    d.rows = (d.band - 1) * d.down.stride + d.reach;
    work = d.down.count * d.along.count * d.times * greater(d.down.taps * d.along.taps, 32);
    d.planes = divide_up(d.batch * d.channels, bands_chunks(d.batch * d.channels * work));
    return d;
}

static int64_t table_bytes(const struct depth *d)
{
    return (int64_t)aligned(d->along.taps * (int64_t)sizeof(int64_t));
}
static int64_t copy_floats(const struct depth *d)
{
    return d->rows * d->row + TILE_VECTORS * d->k->lanes;
}
static int64_t place_bytes(const struct depth *d)
{
    return table_bytes(d) + (int64_t)aligned(copy_floats(d) * (int64_t)sizeof(float));
}

size_t conv_depth_scratch(const struct kernels *k, const struct conv_shape *s, int threads)
{
    const struct depth d = depth_of(k, s);

    return (size_t)(threads * place_bytes(&d));
}

/* Column q of the padded row, counted from the first one that a window meets, is in the copy of its residue. */
static int64_t place_of(const struct depth *d, int64_t q)
{
    return q % d->along.stride * d->width + q / d->along.stride;
}

static struct place place(const struct depth *d, int thread)
{
    char *const at = d->scratch + thread * place_bytes(d);
    struct place p = { .x_at = (int64_t *)(void *)at, .copy = (float *)(void *)(at + table_bytes(d)) };

    for (int64_t i = 0; i < d->along.taps; i++)
        p.x_at[i] = place_of(d, i * d->along.spread);
    memset(p.copy, 0, (size_t)copy_floats(d) * sizeof(float)); /* the pads */
    return p;
}

/* Rows [from, to) of a plane, by residues of their columns. */
static void copy_rows(const struct depth *d, const float *x, int64_t from, int64_t to, float *copy)
{
    const struct axis *a = &d->along;
    const int64_t residues = d->row / d->width;

    for (int64_t q = greater(-a->base, 0), end = q + a->stride; q < end; q++) {
        const int64_t column = q + a->base, i = q / a->stride;
        const int64_t n = lesser(divide_up(a->in - column, a->stride), d->width - i);

        if (q % a->stride < residues && n > 0)
            d->k->conv->every(x + from * a->in + column, a->in, a->stride, copy + place_of(d, q), d->row, to - from, n);
    }
}

/* So many columns at a time that the time is looked at often, however many taps there are. */
static void run_rows(const struct depth *d, const struct plane_rows *rows)
{
    enum { OFTEN = 1 << 26, LEAST = 256 }; /* products */
    const double each = (double)rows->rows * (double)rows->taps[0] * (double)rows->taps[1];
    const int64_t columns = greater(LEAST, (int64_t)(OFTEN / each) / LEAST * LEAST);

    for (int64_t c = 0; c < rows->columns && !pool_late(d->pool); c += columns) {
        struct plane_rows t = *rows;

        t.columns = lesser(columns, rows->columns - c);
        t.x += c;
        t.y += c;
        d->k->conv->plane_rows(&t);
    }
}

/* Rows first, first + d->every, ... of what a plane makes: they meet the same rows of x, d->down.spread apart. */
static void run_band(const struct depth *d, const struct place *p, int64_t plane, int64_t first)
{
    const struct axis *down = &d->down;
    const int64_t rows = lesser(d->band, down->count - first), top = first * down->stride + down->base;
    const int64_t from = greater(top, 0), to = lesser(top + (rows - 1) * down->stride + d->reach, down->in);
    const int64_t out = down->count * d->along.count, channel = plane % d->channels, every = d->every;
    struct plane_rows t = {
        .columns = d->along.count,
        .taps = { down->taps, d->along.taps },
        .stride = every * down->stride / down->spread,
        .x_row = down->spread * d->row,
        .x_at = p->x_at,
        .y_row = every * d->along.count,
        .least = d->relu ? 0 : -INFINITY,
        .most = INFINITY,
    };

    if (from < to)
        copy_rows(d, d->x + plane * down->in * d->along.in, from, to, p->copy + (from - top) * d->row);
    for (int64_t i = 0; i < d->times; i++) {
        t.w = d->w + (channel * d->times + i) * down->taps * d->along.taps;
        t.bias = d->bias ? d->bias[channel * d->times + i] : 0;
        for (int64_t r = 0; r < lesser(every, rows); r++) {
            const int64_t at = r * down->stride; /* rows of x from there, as many apart as the taps are */

            t.rows = divide_up(rows - r, every);
            t.from = greater(divide_up(from - top - at, down->spread), 0);
            t.to = divide_up(to - top - at, down->spread);
            t.x = p->copy + at * d->row;
            t.y = d->y + (plane * d->times + i) * out + (first + r) * d->along.count;
            run_rows(d, &t);
        }
    }
}

/* Pads were multiplied with weights that are not finite: what is NaN, again. */
static void plane_again(const struct depth *d, int64_t plane)
{
    const struct conv_again again = { .plain = { .shape = d->shape, .dtype = F32, .x = d->x, .w = d->w },
                                      .bias = d->bias,
                                      .relu = d->relu,
                                      .result = d->y };
    const int64_t weights = d->times * d->down.taps * d->along.taps;

    if (!conv_panel_is_finite(d->k, F32, d->w + plane % d->channels * weights, weights))
        for (int64_t i = 0; i < d->times; i++)
            conv_again_y(&again, plane * d->times + i);
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct depth *d = context;
    const struct place p = place(d, thread);

    for (int64_t i = chunk * d->planes; i < lesser(d->batch * d->channels, (chunk + 1) * d->planes); i++) {
        for (int64_t row = 0; row < d->down.count; row += d->band)
            run_band(d, &p, i, row);
        plane_again(d, i);
    }
}

void conv_depth(const struct kernels *k, struct pool *pool, const struct conv_shape *s, const float *x, const float *w,
                const float *bias, bool relu, float *y, void *scratch)
{
    struct depth d = depth_of(k, s);

    d.x = x;
    d.w = w;
    d.bias = bias;
    d.relu = relu;
    d.shape = s;
    d.y = y;
    d.scratch = scratch;
    d.pool = pool;
    if (d.batch)
        pool_run(pool, divide_up(d.batch * d.channels, d.planes), run_chunk, &d);
}
