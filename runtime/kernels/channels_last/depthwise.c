/* Convolution where each channel is a group of its own: vectors over channels, pixels side by side. The usual kernels
 * slide along rows of x, by pairs of rows of y; others go by tiles of pixels that have the same taps. Padding is left
 * out, as in direct.c. Packed weights are [kernel row][kernel column][channel]. */
#include "kernels/bands.h"
#include "kernels/channels_last/method.h"
#include "kernels/conv_axis.h"
#include "kernels/machine.h"
#include <math.h>
#include <string.h>

enum {
    PARTS = 16,                   /* of the gradient by the weights, that are summed by themselves */
    PART_WORK = JOB_PRODUCTS / 2, /* multiplications that are worth a part */
    BAND_BYTES = NEAREST_CACHE    /* of dy, while all taps are summed over it */
};

struct depthwise {
    const struct kernels *k;
    const struct conv_shape *shape;
    bool back;
    int64_t channels, in[2], out[2]; /* of what is read, of what is written */
    struct bands bands;
};

static struct depthwise depthwise_of(const struct conv_last *c)
{
    const struct conv_shape *s = &c->shape;
    struct depthwise d = { .k = c->k, .shape = s, .back = c->pass == CONV_DX, .channels = s->in_channels };
    int64_t row;

    for (int i = 0; i < 2; i++) {
        d.in[i] = d.back ? s->out[i] : s->in[i];
        d.out[i] = d.back ? s->in[i] : s->out[i];
    }
    row = d.out[1] * d.channels;
    /* multiplications wait for memory: as many as that takes */
    d.bands = bands_of(s->batch, d.out[0], row, (row + d.in[0] * d.in[1] * d.channels / d.out[0]) * 4,
                       row * greater(s->kernel[0] * s->kernel[1], 32), 1, 1);
    return d;
}

static bool depthwise_fits(struct conv_last *c, bool exact)
{
    const struct conv_shape *s = &c->shape;

    (void)exact;
    return c->k->conv->depth_tile && s->groups > 1 && s->groups == s->in_channels && s->groups == s->out_channels;
}

static struct conv_weights_key depthwise_key(const struct conv_last *c)
{
    const struct conv_shape *s = &c->shape;

    return (struct conv_weights_key){ .method = &conv_depthwise, .detail = { s->groups, s->kernel[0], s->kernel[1] } };
}

static size_t depthwise_weights(const struct conv_last *c)
{
    const struct conv_shape *s = &c->shape;

    return (size_t)(s->groups * s->kernel[0] * s->kernel[1]) * sizeof(float);
}

static void depthwise_pack(const struct conv_last *c, struct pool *pool, const float *w, void *packed)
{
    const struct conv_shape *s = &c->shape;
    const int64_t taps = s->kernel[0] * s->kernel[1];

    (void)pool;
    c->k->gemm->transpose_4((const void *)w, taps, packed, s->groups, s->groups, taps);
}

static int64_t depthwise_blocks(const struct conv_last *c)
{
    return depthwise_of(c).bands.blocks;
}

/* -- forward, and the gradient by the input -- */

struct depthwise_job {
    const struct depthwise *d;
    const struct pool *pool;
    const float *x, *w;
    const struct epilogue *e;
    float *y;
};

/* Outputs in one phase: how they lie, and where their image begins. */
struct field {
    struct axis down, along;
    const float *x;
    int64_t y;
};

/* Row i by those of its taps that meet x, taps[0]; row i + 1 as well where taps[1] has any. */
static void run_sliding(const struct depthwise_job *job, const struct field *f, int64_t i, const struct span taps[2])
{
    const struct depthwise *d = job->d;
    const struct axis *down = &f->down, *along = &f->along;
    const int64_t channels = d->channels, w_row = d->shape->kernel[1] * channels, at = i * down->stride + down->base;
    const int64_t y = f->y + ((down->first + i * down->step) * d->out[1] + along->first) * channels;
    const float *const w = job->w + (down->kernel * w_row + along->kernel * channels);
    struct depth_rows t = {
        .taps = (int)along->taps,
        .stride = (int)along->stride,
        .rows = { taps[0].to - taps[0].from },
        .first = along->base,
        .columns = along->in,
        .pixels = along->count,
        .x = f->x,
        .x_row = down->spread * d->in[1] * channels,
        .x_column = channels,
        .w = { w },
        .w_row = down->kernel_step * w_row,
        .w_column = along->kernel_step * channels,
        .y = job->y + y,
        .y_row = down->step * d->out[1] * channels,
        .y_pixel = along->step * channels,
        .channels = channels,
        .bias = job->e->bias,
        .residual = job->e->residual ? job->e->residual + y : NULL,
        .least = job->e->least,
        .most = job->e->most,
    };

    if (t.rows[0] > 0) {
        t.x += (at + taps[0].from * down->spread) * d->in[1] * channels;
        t.w[0] += taps[0].from * t.w_row;
    }
    if (taps[1].to > 0) {
        t.rows[0] = down->stride + taps[1].from - taps[0].from;
        t.rows[1] = taps[0].to - taps[0].from - t.rows[0];
        t.rows[2] = taps[1].to - taps[1].from - t.rows[1];
        t.w[1] = w + taps[1].from * t.w_row;
    }
    d->k->conv->depth_rows(&t);
}

/* By pairs where neighbours meet rows of x that follow each other. */
static void run_sliding_rows(const struct depthwise_job *job, const struct field *f, struct span rows)
{
    const struct axis *down = &f->down;
    int64_t next;

    for (int64_t i = rows.from; i < rows.to; i = next) {
        struct span taps[2] = { axis_taps(down, i) };

        next = i + 1;
        if (next < rows.to && down->spread == 1)
            taps[1] = axis_taps(down, next);
        if (taps[1].to > 0 && down->stride + taps[1].from <= taps[0].to)
            next++;
        else
            taps[1].to = 0;
        run_sliding(job, f, i, taps);
    }
}

static void run_tiles(const struct depthwise_job *job, const struct field *f, int64_t i)
{
    const struct depthwise *d = job->d;
    const struct axis *down = &f->down, *along = &f->along;
    const int64_t channels = d->channels, columns = d->shape->kernel[1];
    const struct span rows = axis_taps(down, i);
    const int64_t row = i * down->stride + down->base + rows.from * down->spread;
    const int64_t to = f->y + (down->first + i * down->step) * d->out[1] * channels;
    struct depth_tile t = {
        .x_pixel = along->stride * channels,
        .x_row = down->spread * d->in[1] * channels,
        .x_column = along->spread * channels,
        .w_row = down->kernel_step * columns * channels,
        .w_column = along->kernel_step * channels,
        .y_pixel = along->step * channels,
        .channels = channels,
        .bias = job->e->bias,
        .least = job->e->least,
        .most = job->e->most,
    };
    int64_t next;

    for (int64_t from = 0; from < along->count; from = next) {
        const struct span taps = axis_taps(along, from);
        const int64_t column = from * along->stride + along->base + taps.from * along->spread;
        const int64_t w =
            (down->kernel + rows.from * down->kernel_step) * columns + along->kernel + taps.from * along->kernel_step;
        int64_t pixels, parts, look;

        next = axis_alike(along, from, along->count);
        pixels = next - from;
        parts = divide_up(pixels, DEPTH_PIXELS);
        t.columns = taps.to - taps.from;
        t.rows = t.columns == 0 ? 0 : rows.to - rows.from;
        look = tiles_for_a_look((double)t.rows * (double)t.columns * (double)channels);
        for (int64_t p = 0, at = 0; p < parts; p++, at += t.pixels) {
            const int64_t y = to + (along->first + (from + at) * along->step) * channels;

            if (p % look == look - 1 && pool_late(job->pool))
                return;
            t.pixels = (int)(pixels / parts + (p < pixels % parts));
            if (t.rows > 0) {
                t.x = f->x + (row * d->in[1] + column + at * along->stride) * channels;
                t.w = job->w + w * channels;
            }
            t.y = job->y + y;
            t.residual = job->e->residual ? job->e->residual + y : NULL;
            d->k->conv->depth_tile(&t);
        }
    }
}

static void run_rows(const struct depthwise_job *job, const struct field *f, struct span rows)
{
    if (f->along.spread == 1 && depth_slides(f->along.taps, f->along.stride))
        run_sliding_rows(job, f, rows);
    else
        for (int64_t i = rows.from; i < rows.to; i++)
            run_tiles(job, f, i);
}

static void run_block(const struct depthwise_job *job, int64_t block)
{
    const struct depthwise *d = job->d;
    const int64_t phases_down = d->back ? axis_phases(d->shape, 0) : 1;
    const int64_t phases_along = d->back ? axis_phases(d->shape, 1) : 1;
    const struct span units = band_units(&d->bands, block);
    const int64_t image = band_image(&d->bands, block);

    for (int64_t p = 0; p < phases_down; p++)
        for (int64_t q = 0; q < phases_along; q++) {
            const struct field f = {
                .down = d->back ? axis_phase(d->shape, 0, p) : axis_forward(d->shape, 0),
                .along = d->back ? axis_phase(d->shape, 1, q) : axis_forward(d->shape, 1),
                .x = job->x + image * d->in[0] * d->in[1] * d->channels,
                .y = image * d->out[0] * d->out[1] * d->channels,
            };

            run_rows(job, &f, axis_outputs(&f.down, units.from, units.to));
        }
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct depthwise_job *job = context;
    const struct bands *b = &job->d->bands;
    const struct span blocks = chunk_blocks(b, chunk);

    for (int64_t i = blocks.from; i < blocks.to; i++) {
        run_block(job, i);
        if (job->e->finish)
            band_finish(b, job->e, i, job->y, thread);
    }
}

static void depthwise_run(const struct conv_last *c, struct pool *pool, const float *x, const float *w,
                          const void *packed, const struct epilogue *e, float *y, void *scratch)
{
    const struct depthwise d = depthwise_of(c);
    struct depthwise_job job = { .d = &d, .pool = pool, .x = x, .w = packed, .e = e, .y = y };

    (void)w;
    (void)scratch;
    pool_run(pool, divide_up(d.bands.blocks, d.bands.block_chunk), run_chunk, &job);
}

/* -- the gradient by the weights -- */

struct sums {
    const struct depthwise *d;
    int64_t bands, band, units, parts, size;
    const float *x, *dy;
    float *sums;
};

static struct sums sums_of(const struct depthwise *d)
{
    const struct conv_shape *s = d->shape;
    struct sums r = { .d = d };

    r.band = lesser(d->out[0], greater(BAND_BYTES / 4 / (d->out[1] * d->channels), 1));
    r.bands = divide_up(d->out[0], r.band);
    r.units = r.bands * s->batch;
    r.size = s->kernel[0] * s->kernel[1] * d->channels;
    r.parts = lesser(lesser(PARTS, r.units), r.size * d->out[0] * d->out[1] * s->batch / PART_WORK + 1);
    return r;
}

/* A row of the kernel over a unit: columns [first, first + taps), for the pixels that all of them meet. */
static void sum_taps(const struct sums *s, struct span rows, int64_t kernel_row, const struct axis *along,
                     int64_t image, struct span columns, struct span taps, float *to)
{
    const struct depthwise *d = s->d;
    const struct axis down = axis_forward(d->shape, 0);
    const int64_t row = rows.from * down.stride + down.base + kernel_row * down.spread, channels = d->channels;
    const int64_t column = columns.from * along->stride + along->base + taps.from * along->spread;
    struct depth_weight_tile t = {
        .rows = rows.to - rows.from,
        .pixels = columns.to - columns.from,
        .x = s->x + ((image * d->in[0] + row) * d->in[1] + column) * channels,
        .x_row = down.stride * d->in[1] * channels,
        .x_pixel = along->stride * channels,
        .x_column = along->spread * channels,
        .g = s->dy + ((image * d->out[0] + rows.from) * d->out[1] + columns.from) * channels,
        .g_row = d->out[1] * channels,
        .g_pixel = channels,
        .acc = to + (kernel_row * d->shape->kernel[1] + taps.from) * channels,
        .acc_column = channels,
        .channels = channels,
    };

    for (int64_t left = taps.to - taps.from; left > 0; left -= t.taps) {
        t.taps = (int)lesser(left, DEPTH_TAPS);
        d->k->conv->depth_weight_tile(&t);
        if (left > t.taps) {
            t.x += t.taps * t.x_column;
            t.acc += t.taps * channels;
        }
    }
}

static void sum_unit(const struct sums *s, int64_t unit, float *to)
{
    const struct depthwise *d = s->d;
    const struct axis down = axis_forward(d->shape, 0), along = axis_forward(d->shape, 1);
    const int64_t first = unit % s->bands * s->band;

    for (int64_t i = 0; i < down.taps; i++) {
        const struct span meeting = axis_meeting(&down, i);
        const struct span rows = { greater(meeting.from, first), lesser(meeting.to, first + s->band) };
        struct span columns = { 0, 0 };

        for (; rows.from < rows.to && columns.from < along.count; columns.from = columns.to) {
            const struct span taps = axis_taps(&along, columns.from);

            columns.to = axis_alike(&along, columns.from, along.count);
            if (taps.from < taps.to)
                sum_taps(s, rows, i, &along, unit / s->bands, columns, taps, to);
        }
    }
}

static void sum_part(void *context, int64_t part, int thread)
{
    const struct sums *s = context;
    float *to = s->sums + part * s->size;

    (void)thread;
    memset(to, 0, (size_t)s->size * sizeof *to);
    for (int64_t unit = s->units * part / s->parts; unit < s->units * (part + 1) / s->parts; unit++)
        sum_unit(s, unit, to);
}

static void depthwise_dw(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw,
                         float *db, void *scratch)
{
    const struct depthwise d = depthwise_of(c);
    const int64_t taps = c->shape.kernel[0] * c->shape.kernel[1];
    struct sums s = sums_of(&d);

    (void)db;
    s.x = x;
    s.dy = dy;
    s.sums = scratch;
    pool_run(pool, s.parts, sum_part, &s);
    for (int64_t step = 1; step < s.parts; step *= 2)
        for (int64_t part = 0; part + step < s.parts; part += 2 * step) {
            float *to = s.sums + part * s.size;

            c->k->map->add(to, to + step * s.size, to, s.size);
        }
    c->k->gemm->transpose_4(scratch, d.channels, (void *)dw, taps, taps, d.channels);
}

static bool depthwise_sums_dy(const struct conv_last *c)
{
    (void)c;
    return false;
}

static size_t depthwise_scratch(const struct conv_last *c, int threads)
{
    const struct depthwise d = depthwise_of(c);
    const struct sums s = sums_of(&d);

    (void)threads;
    return c->pass == CONV_DW ? (size_t)(s.parts * s.size) * sizeof(float) : 0;
}

const struct conv_method conv_depthwise = {
    .name = "depthwise",
    .fits = depthwise_fits,
    .key = depthwise_key,
    .weights = depthwise_weights,
    .pack = depthwise_pack,
    .scratch = depthwise_scratch,
    .blocks = depthwise_blocks,
    .run = depthwise_run,
    .dw = depthwise_dw,
    .sums_dy = depthwise_sums_dy,
};
