#include "kernels/channels_last/integer.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include <string.h>

enum { SLACK = 64 }; /* bytes that may be read behind a copy */

/* What lies in scratch: offsets of runs or taps; for each channel what is added to a sum, and its scale; images. */
struct run {
    const struct kernels *k;
    struct pool *pool;
    const struct integer_last *c;
    struct integer_plan plan;
    int64_t *at;
    int32_t *summand;
    float *scale;
    uint8_t *copy;
    const uint8_t *x; /* as it is read */
    const char *weights;
    int64_t pixels, block, blocks; /* of the result */
    int64_t groups;                /* of panels, at most as many as a tile takes */
};

static int64_t offsets(const struct integer_plan *p)
{
    return p->depthwise ? 2 * p->pairs : p->runs;
}

static size_t copy_bytes(const struct integer_plan *p, const struct conv_shape *s)
{
    return p->copied ? aligned((size_t)(s->batch * p->in[0] * p->in[1] * s->in_channels) + SLACK) : 0;
}

size_t integer_last_scratch(const struct kernels *k, const struct conv_shape *s, bool x_has_sign)
{
    const struct integer_plan p = integer_plan(k, s, x_has_sign);

    return aligned((size_t)offsets(&p) * sizeof(int64_t)) + 2 * integer_plan_sums(&p) + copy_bytes(&p, s);
}

/* -- before -- */

static uint8_t x_flip(const struct integer_last *c)
{
    return c->x_has_sign ? 0x80 : 0;
}
static uint8_t x_zero(const struct integer_last *c)
{
    return (c->x_zero ? *c->x_zero : 0) ^ x_flip(c);
}

static void find_offsets(struct run *r)
{
    const struct conv_shape *const s = &r->c->shape;
    const int64_t taps = r->plan.depthwise ? 1 : r->plan.taps / r->plan.runs; /* of each */

    for (int64_t k = 0; k < offsets(&r->plan); k++) {
        const int64_t tap = lesser(k * taps, r->plan.taps - 1); /* that an odd one is paired with counts for nothing */
        const int64_t row = tap / s->kernel[1] * s->dilations[0], column = tap % s->kernel[1] * s->dilations[1];

        r->at[k] = (row * r->plan.in[1] + column) * s->in_channels;
    }
}

static void find_factors(struct run *r)
{
    const struct integer_last *const c = r->c;
    const int32_t *const sums = c->packed;
    const uint32_t zero = x_zero(c);

    for (int64_t o = 0; o < r->plan.wide; o++) {
        const bool is = o < c->shape.out_channels;

        r->summand[o] = (int32_t)((c->bias && is ? (uint32_t)c->bias[o] : 0) - zero * (uint32_t)sums[o]);
        r->scale[o] = c->sums || !is ? 0 : c->w_scale[o % c->w_scales] * c->x_scale / c->y_scale;
    }
}

/* A row of an image, with its padding. */
static void copy_row(const struct run *r, int64_t row)
{
    const struct integer_last *const c = r->c;
    const struct conv_shape *const s = &c->shape;
    const int64_t image = row / r->plan.in[0], y = row % r->plan.in[0] - s->pads_begin[0], channels = s->in_channels;
    const int64_t from = lesser(greater(s->pads_begin[1], 0), r->plan.in[1]); /* pixels that there are */
    const int64_t end = lesser(greater(s->in[1] + s->pads_begin[1], from), r->plan.in[1]);
    uint8_t *const to = r->copy + row * r->plan.in[1] * channels;
    const uint8_t flip = x_flip(c), zero = x_zero(c);
    const uint8_t *x;

    if (y < 0 || y >= s->in[0]) {
        memset(to, zero, (size_t)(r->plan.in[1] * channels));
        return;
    }
    memset(to, zero, (size_t)(from * channels));
    memset(to + end * channels, zero, (size_t)((r->plan.in[1] - end) * channels));
    x = c->x + ((image * s->in[0] + y) * s->in[1] + from - s->pads_begin[1]) * channels;
    if (!flip) {
        memcpy(to + from * channels, x, (size_t)((end - from) * channels));
        return;
    }
    for (int64_t i = 0; i < (end - from) * channels; i++)
        to[from * channels + i] = x[i] ^ flip;
}

static int64_t rows_of_copy(const struct run *r)
{
    return greater(JOB_ELEMENTS / greater(r->plan.in[1] * r->c->shape.in_channels, 1), 1);
}

static void copy_chunk(void *context, int64_t chunk, int thread)
{
    const struct run *r = context;
    const int64_t rows = r->c->shape.batch * r->plan.in[0], each = rows_of_copy(r);

    (void)thread;
    for (int64_t row = chunk * each; row < lesser((chunk + 1) * each, rows); row++)
        copy_row(r, row);
}

/* -- tiles -- */

/* The first bytes of the windows of `n` pixels of the result. */
static void windows(const struct run *r, int64_t pixel, int n, const uint8_t **to)
{
    const struct conv_shape *const s = &r->c->shape;
    const int64_t step = s->strides[1] * s->in_channels, line = s->strides[0] * r->plan.in[1] * s->in_channels;
    int64_t column = pixel % s->out[1], row = pixel / s->out[1] % s->out[0], image = pixel / s->out[1] / s->out[0];

    for (int k = 0; k < n; k++) {
        to[k] = r->x + image * r->plan.in[0] * r->plan.in[1] * s->in_channels + row * line + column * step;
        if (++column < s->out[1])
            continue;
        column = 0;
        if (++row < s->out[0])
            continue;
        row = 0;
        image++;
    }
}

/* Sums become the result. */
static void finish(const struct run *r, int64_t pixel, int rows, int64_t channel, int64_t n,
                   int32_t (*sums)[INTEGER_COLUMNS])
{
    const struct integer_last *const c = r->c;
    const int64_t to = pixel * c->shape.out_channels + channel;
    struct integer_store store = { .summand = r->summand + channel,
                                   .scale = r->scale + channel,
                                   .zero = c->zero,
                                   .least = c->least,
                                   .most = c->most,
                                   .y_row = c->shape.out_channels };

    if (!c->sums) {
        store.y = c->y + to;
        r->k->integer->store(&store, sums, rows, n);
        return;
    }
    for (int row = 0; row < rows; row++)
        for (int64_t k = 0; k < n; k++)
            c->sums[to + row * c->shape.out_channels + k] =
                (int32_t)((uint32_t)sums[row][k] + (uint32_t)r->summand[channel + k]);
}

static void quads_tile(const struct run *r, int64_t pixel, int rows, int64_t panel, int vectors)
{
    const int64_t bytes = r->plan.runs * r->plan.quads * 4 * r->k->lanes, channel = panel * r->k->lanes;
    int32_t sums[QUAD_ROWS][INTEGER_COLUMNS];
    struct integer_quads t = { .at = r->at,
                               .runs = r->plan.runs,
                               .quads = r->plan.quads,
                               .b = (const int8_t *)r->weights + panel * bytes,
                               .b_panel = bytes,
                               .c = sums };

    windows(r, pixel, rows, t.a);
    r->k->integer->quads(&t, rows, vectors);
    finish(r, pixel, rows, channel, lesser(vectors * r->k->lanes, r->c->shape.out_channels - channel), sums);
}

/* Pixels of one row of the result. */
static void columns_tile(const struct run *r, int64_t pixel, int rows, int64_t panel, int vectors)
{
    const int64_t channel = panel * r->k->lanes;
    int32_t sums[QUAD_ROWS][INTEGER_COLUMNS];
    const uint8_t *first;
    struct integer_columns t = { .x_step = r->c->shape.strides[1] * r->c->shape.in_channels,
                                 .at = r->at,
                                 .w = (const int16_t *)(const void *)r->weights + channel * 2,
                                 .pairs = r->plan.pairs,
                                 .w_step = r->plan.wide * 2,
                                 .c = sums };

    windows(r, pixel, 1, &first);
    t.x = first + channel;
    r->k->integer->columns(&t, rows, vectors);
    finish(r, pixel, rows, channel, lesser(vectors * r->k->lanes, r->c->shape.out_channels - channel), sums);
}

/* A block of pixels by a group of panels, whose weights stay in a cache. */
static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct run *r = context;
    const int64_t width = r->c->shape.out[1], group = chunk / r->blocks;
    const int64_t panel = even_start(r->plan.panels, r->groups, group);
    const int vectors = (int)(even_start(r->plan.panels, r->groups, group + 1) - panel);
    const int64_t end = lesser((chunk % r->blocks + 1) * r->block, r->pixels);

    (void)thread;
    for (int64_t from = chunk % r->blocks * r->block, until; from < end && !pool_late(r->pool); from = until) {
        int64_t tiles;

        until = r->plan.depthwise ? lesser(end, (from / width + 1) * width) : end;
        tiles = divide_up(until - from, r->k->integer->quad_rows);
        for (int64_t t = 0; t < tiles; t++) {
            const int64_t at = even_start(until - from, tiles, t);
            const int rows = (int)(even_start(until - from, tiles, t + 1) - at);

            if (r->plan.depthwise)
                columns_tile(r, from + at, rows, panel, vectors);
            else
                quads_tile(r, from + at, rows, panel, vectors);
        }
    }
}

/* So many pixels that a chunk is worth a job, and not fewer than a tile has. */
static void cut(struct run *r)
{
    const int64_t products = greater(r->k->integer->quad_products, 1) * JOB_PRODUCTS;
    const int vectors = r->k->integer->quad_vectors;
    const int64_t depth = r->plan.depthwise ? 8 * r->plan.taps : r->plan.runs * r->plan.quads * 4;

    r->pixels = r->c->shape.batch * r->c->shape.out[0] * r->c->shape.out[1];
    r->groups = divide_up(r->plan.panels, vectors);
    r->block = products / ((depth + 8) * vectors * r->k->lanes);
    r->block = round_up(lesser(greater(r->block, 1), r->pixels), r->k->integer->quad_rows);
    r->blocks = divide_up(r->pixels, r->block);
}

void integer_last(const struct kernels *k, struct pool *pool, const struct integer_last *c, void *scratch)
{
    struct run r = { .k = k, .pool = pool, .c = c, .plan = integer_plan(k, &c->shape, c->x_has_sign), .x = c->x };
    const size_t sums = integer_plan_sums(&r.plan);
    char *place = scratch;

    r.at = (int64_t *)(void *)place;
    place += aligned((size_t)offsets(&r.plan) * sizeof *r.at);
    r.summand = (int32_t *)(void *)place;
    r.scale = (float *)(void *)(place + sums);
    r.weights = (const char *)c->packed + sums;
    find_offsets(&r);
    find_factors(&r);
    if (r.plan.copied) {
        r.x = r.copy = (uint8_t *)place + 2 * sums;
        pool_run(pool, divide_up(c->shape.batch * r.plan.in[0], rows_of_copy(&r)), copy_chunk, &r);
    }
    cut(&r);
    pool_run(pool, r.groups * r.blocks, run_chunk, &r);
}
