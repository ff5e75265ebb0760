#include "kernels/channels_last/pool.h"
#include "kernels/channels_last/windows.h"
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
