#include "kernels/channels_last/pool.h"
#include "kernels/channels_last/windows.h"
#include "kernels/index.h"
#include "kernels/machine.h"
#include <string.h>

struct bytes_job {
    const struct pool *pool;
    const struct pool_shape *s;
    int64_t channels, pixels, block; /* pixels of the result; of a chunk */
    uint8_t flip;                    /* an int8 whose highest bit is turned compares as an uint8 */
    const uint8_t *x;
    uint8_t *y;
};

static void larger(uint8_t *y, const uint8_t *x, int64_t n, uint8_t flip)
{
    if (flip)
        for (int64_t c = 0; c < n; c++)
            y[c] = (int8_t)y[c] > (int8_t)x[c] ? y[c] : x[c];
    else
        for (int64_t c = 0; c < n; c++)
            y[c] = y[c] > x[c] ? y[c] : x[c];
}

static void pool_pixel(const struct bytes_job *j, int64_t pixel)
{
    const struct pool_shape *const s = j->s;
    const int64_t column = pixel % s->out[1], row = pixel / s->out[1] % s->out[0],
                  image = pixel / s->out[1] / s->out[0];
    const struct inside v = inside(s, 0, row), h = inside(s, 1, column);
    const int64_t top = row * s->strides[0] - s->pads_begin[0], left = column * s->strides[1] - s->pads_begin[1];
    uint8_t *const y = j->y + pixel * j->channels;

    memset(y, j->flip, (size_t)j->channels); /* the lowest value */
    for (int64_t a = v.from; a < v.from + v.count && !pool_late(j->pool); a++)
        for (int64_t b = h.from; b < h.from + h.count; b++) {
            const int64_t at = (image * s->in[0] + top + a * s->dilations[0]) * s->in[1] + left + b * s->dilations[1];

            larger(y, j->x + at * j->channels, j->channels, j->flip);
        }
}

static void bytes_chunk(void *context, int64_t chunk, int thread)
{
    const struct bytes_job *j = context;

    (void)thread;
    for (int64_t p = chunk * j->block; p < lesser((chunk + 1) * j->block, j->pixels); p++)
        pool_pixel(j, p);
}

void max_pool_last_bytes(struct pool *pool, const struct pool_shape *s, int64_t channels, bool has_sign,
                         const uint8_t *x, uint8_t *y)
{
    const struct pool_shape shape = lifted(s);
    struct bytes_job j = {
        .pool = pool, .s = &shape, .channels = channels, .flip = has_sign ? 0x80 : 0, .x = x, .y = y
    };
    double reads;

    j.pixels = shape.planes * shape.out[0] * shape.out[1];
    reads = (double)channels * (double)shape.kernel[0] * (double)shape.kernel[1];
    j.block = 1 + (int64_t)(4 * JOB_ELEMENTS / (reads + 1));
    pool_run(pool, divide_up(j.pixels, j.block), bytes_chunk, &j);
}

/* -- mean -- */

enum {
    BLOCK = 64,    /* channels whose sums are taken together */
    MANY = 1 << 22 /* taps whose sum is within int32 */
};

struct mean_job {
    const struct kernels *k;
    const struct pool *pool;
    const struct pool_shape *s;
    const struct pool_bytes *b;
    int64_t channels, outs, ins, pixels, block; /* pixels of an image of y, of x; of all of y; of a chunk */
};

/* Taps of a window that lie inside: of each dimension `count` from `at` on, `step` apart. */
struct taps {
    int64_t at[MAX_RANK], step[MAX_RANK], count[MAX_RANK], inside, counted;
};

static struct taps taps_of(const struct pool_shape *s, const int64_t *out)
{
    struct taps t = { .inside = 1, .counted = 1 };

    for (int d = 0; d < s->rank; d++) {
        const struct inside in = inside(s, d, out[d]);

        t.at[d] = out[d] * s->strides[d] - s->pads_begin[d] + in.from * s->dilations[d];
        t.step[d] = s->dilations[d];
        t.count[d] = in.count;
        t.inside *= in.count;
        t.counted *= counted(s, d, out[d]);
    }
    return t;
}

/* Sums of channels [c, c + n), less the zero point, in units. */
static void add_taps(const struct mean_job *j, int64_t image, const struct taps *t, int64_t c, int64_t n, int64_t unit,
                     int32_t *sums)
{
    const uint8_t flip = j->b->has_sign ? 0x80 : 0;
    const int32_t zero = j->b->x_zero ^ flip;
    int64_t tap[MAX_RANK] = { 0 }, taps = 0, before[BLOCK] = { 0 };

    memset(sums, 0, (size_t)n * sizeof *sums);
    if (!t->inside)
        return;
    do {
        int64_t pixel = 0;
        const uint8_t *x;

        for (int d = 0; d < j->s->rank; d++)
            pixel = pixel * j->s->in[d] + t->at[d] + tap[d] * t->step[d];
        x = j->b->x + (image * j->ins + pixel) * j->channels + c;
        for (int64_t k = 0; k < n; k++)
            sums[k] += (x[k] ^ flip) - zero;
        taps++;
        for (int64_t k = 0; taps % MANY == 0 && k < n; k++) {
            before[k] += sums[k];
            sums[k] = 0;
        }
    } while (next_index(j->s->rank, t->count, tap) && !pool_late(j->pool));
    for (int64_t k = 0; unit > 1 && k < n; k++)
        sums[k] = (int32_t)((before[k] + sums[k]) / unit);
}

static void mean_pixel(const struct mean_job *j, int64_t pixel)
{
    int64_t out[MAX_RANK];
    struct quantizing q = j->b->q;
    struct taps t;
    int64_t unit;
    float scale;

    index_at(j->s->rank, j->s->out, pixel % j->outs, out);
    t = taps_of(j->s, out);
    unit = greater(divide_up(t.inside, MANY), 1);
    scale = j->b->scale / (float)t.counted * (float)unit;
    q.scale = &scale;
    for (int64_t c = 0, n; c < j->channels; c += n) {
        int32_t sums[BLOCK];

        n = lesser(j->channels - c, BLOCK);
        add_taps(j, pixel / j->outs, &t, c, n, unit, sums);
        j->k->integer->requantize(&q, sums, j->b->y + pixel * j->channels + c, n);
    }
}

static void mean_chunk(void *context, int64_t chunk, int thread)
{
    const struct mean_job *j = context;

    (void)thread;
    for (int64_t p = chunk * j->block; p < lesser((chunk + 1) * j->block, j->pixels); p++)
        mean_pixel(j, p);
}

void average_pool_last_bytes(const struct kernels *k, struct pool *pool, const struct pool_shape *s, int64_t channels,
                             const struct pool_bytes *b)
{
    struct mean_job j = { .k = k, .pool = pool, .s = s, .b = b, .channels = channels };
    double reads = (double)channels;

    j.outs = dims_product(s->out, 0, s->rank);
    j.ins = dims_product(s->in, 0, s->rank);
    j.pixels = s->planes * j.outs;
    for (int d = 0; d < s->rank; d++)
        reads *= (double)lesser(s->kernel[d], s->in[d]);
    j.block = 1 + (int64_t)(JOB_ELEMENTS / (reads + 1));
    pool_run(pool, divide_up(j.pixels, j.block), mean_chunk, &j);
}
