#include "kernels/integer_conv.h"
#include "kernels/conv_axis.h"
#include "kernels/index.h"
#include <string.h>

enum { LINE = 4 * INTEGER_COLUMNS, WAVE = SHARED_CACHE / 4 }; /* columns gathered together; bytes of a wave */

/* -- weights -- */

static int64_t channel_pairs(const struct conv_shape *s)
{
    return integer_pairs(s->in_channels / s->groups);
}

/* Numbers of a row of A, and of a column of B. */
static int64_t depth_of(const struct conv_shape *s)
{
    return 2 * channel_pairs(s) * dims_product(s->kernel, 0, s->rank);
}

size_t integer_conv_packed_bytes(const struct conv_shape *s)
{
    return integer_conv_is_direct(s) ? 0 : integer_rows_bytes(s->out_channels, depth_of(s));
}

struct weights {
    const struct kernels *k;
    const struct conv_shape *shape;
    const struct integer_operand *w;
    int16_t *to;
};

static void weights_chunk(void *context, int64_t channel, int thread)
{
    const struct weights *p = context;
    const int64_t taps = dims_product(p->shape->kernel, 0, p->shape->rank), depth = depth_of(p->shape);
    const int64_t channels = p->shape->in_channels / p->shape->groups, wide = 2 * channel_pairs(p->shape);
    int16_t *const to = p->to + channel * depth;

    (void)thread;
    memset(to, 0, (size_t)depth * sizeof *to);
    for (int64_t t = 0; t < taps; t++) {
        const struct byte_run run = { channel * channels * taps + t, 0, channels };
        const struct byte_runs runs = { .x = p->w->data,
                                        .runs = &run,
                                        .count = 1,
                                        .step = taps,
                                        .flip = integer_flip(p->w),
                                        .zero = integer_zero(p->w, channel) };

        p->k->integer->widen(&runs, to + t * wide);
    }
}

void integer_conv_pack(const struct kernels *k, struct pool *pool, const struct conv_shape *s,
                       const struct integer_operand *w, int16_t *packed)
{
    struct weights p = { k, s, w, packed };

    pool_run(pool, s->out_channels, weights_chunk, &p);
}

/* -- columns -- */

/* A wave: what is gathered, then multiplied, before what comes next. All columns of some groups, or some columns of
 * one. */
struct waves {
    int64_t columns, panels; /* of a group */
    int64_t panel_bytes, wave_panels, wave_groups;
};

static struct waves waves_of(const struct kernels *k, const struct conv_shape *s)
{
    struct waves w = { .columns = s->batch * dims_product(s->out, 0, s->rank) };
    int64_t fit;

    w.panels = divide_up(w.columns, k->lanes);
    w.panel_bytes = (int64_t)integer_columns_bytes(k, k->lanes, depth_of(s));
    w.wave_groups = 1;
    fit = WAVE / greater(w.panel_bytes, 1);
    fit = fit < LINE / k->lanes ? greater(fit, k->integer->vectors) : fit / (LINE / k->lanes) * (LINE / k->lanes);
    w.wave_panels = lesser(w.panels, fit);
    if (w.panels && w.wave_panels == w.panels)
        w.wave_groups = lesser(s->groups, greater(WAVE / greater(w.panels * w.panel_bytes, 1), 1));
    return w;
}

size_t integer_conv_scratch(const struct kernels *k, const struct conv_shape *s, bool packed, int threads)
{
    const struct waves w = waves_of(k, s);

    if (integer_conv_is_direct(s))
        return integer_planes_scratch(s, threads);
    return (packed ? 0 : aligned(integer_conv_packed_bytes(s))) +
           (size_t)(w.wave_groups * w.wave_panels * w.panel_bytes);
}

struct gathering {
    const struct kernels *k;
    const struct integer_conv *c;
    int64_t first_group, first_column, columns; /* of the wave */
    int64_t blocks, slices;                     /* of the columns of a group; of the channels */
    int64_t group_panels;
    int16_t *to;
};

/* Runs of the `n` pixels from `column` on that meet the image with a tap. */
static int64_t runs_of(const struct conv_shape *s, int64_t column, int64_t n, const int64_t *tap, struct byte_run *runs)
{
    const int last = s->rank - 1;
    const struct axis axis = axis_forward(s, last);
    const struct span meets = axis_meeting(&axis, tap[last]);
    const int64_t pixels = dims_product(s->out, 0, s->rank), plane = dims_product(s->in, 0, s->rank);
    int64_t image = column / pixels, at[MAX_RANK], count = 0;

    index_at(s->rank, s->out, column % pixels, at);
    for (int64_t c = 0, row; c < n; c += row) {
        const int64_t from = greater(at[last], meets.from);
        int64_t pixel = 0, meeting;
        bool inside = true;

        row = lesser(n - c, s->out[last] - at[last]);
        meeting = lesser(at[last] + row, meets.to) - from;
        for (int d = 0; d < last; d++) {
            const int64_t i = at[d] * s->strides[d] + tap[d] * s->dilations[d] - s->pads_begin[d];

            inside = inside && i >= 0 && i < s->in[d];
            pixel = pixel * s->in[d] + i;
        }
        pixel = pixel * s->in[last] + from * axis.stride + axis.base + tap[last] * axis.spread;
        pixel += image * s->in_channels * plane;
        if (inside && meeting > 0) {
            struct byte_run *const before = count ? &runs[count - 1] : NULL;

            if (before && before->to + before->count == c + from - at[last] &&
                before->from + before->count * axis.stride == pixel)
                before->count += meeting;
            else
                runs[count++] = (struct byte_run){ pixel, c + from - at[last], meeting };
        }
        at[last] += row;
        if (at[last] == s->out[last]) {
            at[last] = 0;
            image += !next_index(last, s->out, at);
        }
    }
    return count;
}

static void gather_chunk(void *context, int64_t chunk, int thread)
{
    const struct gathering *g = context;
    const struct conv_shape *const s = &g->c->shape;
    const int lanes = g->k->lanes;
    const int64_t block = chunk / g->slices % g->blocks, group = chunk / g->slices / g->blocks;
    const int64_t channels = s->in_channels / s->groups, all_pairs = channel_pairs(s);
    const int64_t from = even_start(all_pairs, g->slices, chunk % g->slices);
    const int64_t to = even_start(all_pairs, g->slices, chunk % g->slices + 1);
    const int64_t n = lesser(g->columns - block * LINE, LINE), plane = dims_product(s->in, 0, s->rank);
    const int64_t panel = depth_of(s) * lanes;
    const uint8_t *const x = g->c->x.data + (g->first_group + group) * channels * plane;
    int16_t *panels = g->to + (group * g->group_panels + block * LINE / lanes) * panel, even[LINE], odd[LINE];
    struct byte_run list[LINE];
    struct byte_runs runs = {
        .runs = list, .step = s->strides[s->rank - 1], .flip = integer_flip(&g->c->x), .zero = integer_zero(&g->c->x, 0)
    };
    int64_t tap[MAX_RANK] = { 0 };

    (void)thread;
    do {
        runs.count = runs_of(s, g->first_column + block * LINE, n, tap, list);
        memset(even, 0, sizeof even);
        memset(odd, 0, sizeof odd);
        for (int64_t i = from; i < to; i++) {
            runs.x = x + 2 * i * plane;
            g->k->integer->widen(&runs, even);
            runs.x += plane;
            if (2 * i + 1 < channels) /* else the weights are 0 */
                g->k->integer->widen(&runs, odd);
            g->k->integer->pair(even, odd, divide_up(n, lanes), panel, panels + i * 2 * lanes);
        }
        panels += all_pairs * 2 * lanes;
    } while (next_index(s->rank, s->kernel, tap));
}

/* -- all -- */

static void run_wave(struct pool *pool, struct gathering *g, const struct integer_conv *c, int64_t groups,
                     const int16_t *packed)
{
    const struct conv_shape *const s = &c->shape;
    const int64_t rows = s->out_channels / s->groups, depth = depth_of(s), first = g->first_group * rows;
    struct integer_product p = { .rows = rows, .columns = g->columns, .depth = depth, .batch_rank = 1 };

    g->blocks = divide_up(g->columns, LINE);
    g->slices = lesser(channel_pairs(s), divide_up(depth * lesser(g->columns, LINE), 2 * JOB_ELEMENTS));
    g->group_panels = divide_up(g->columns, g->k->lanes);
    if (g->slices)
        pool_run(pool, groups * g->blocks * g->slices, gather_chunk, g);
    p.a = packed + first * depth;
    p.b = g->to;
    p.batch[0] = groups;
    p.a_batch[0] = p.b_batch[0] = 1;
    p.first_column = g->first_column;
    p.result = c->result;
    if (p.result.sums) {
        p.result.sums += first * p.result.row_step;
    } else {
        p.result.y += first * p.result.row_step;
        p.result.a_scale += p.result.a_scales > 1 ? first : 0;
    }
    p.result.bias = p.result.bias ? p.result.bias + first : NULL;
    integer_multiply(g->k, pool, &p);
}

static struct integer_conv placed(const struct integer_conv *c)
{
    const struct conv_shape *const s = &c->shape;
    const int64_t rows = s->out_channels / s->groups;
    struct integer_conv p = *c;

    p.result.image = dims_product(s->out, 0, s->rank);
    p.result.image_step = s->out_channels * p.result.image;
    p.result.row_step = p.result.image;
    p.result.product_step = rows * p.result.image;
    return p;
}

void integer_conv(const struct kernels *k, struct pool *pool, const struct integer_conv *conv, void *scratch)
{
    const struct integer_conv c = placed(conv);
    const struct waves w = waves_of(k, &c.shape);
    const int16_t *packed = c.packed;
    struct gathering g = { .k = k, .c = &c, .to = scratch };

    if (!w.columns || !c.shape.out_channels)
        return;
    if (integer_conv_is_direct(&c.shape)) {
        if (integer_planes_scratch(&c.shape, 1))
            integer_conv_planes(k, pool, &c, scratch);
        else
            integer_conv_direct(k, pool, &c);
        return;
    }
    if (!packed) {
        integer_conv_pack(k, pool, &c.shape, &c.w, scratch);
        packed = scratch;
        g.to += aligned(integer_conv_packed_bytes(&c.shape)) / sizeof *g.to;
    }
    for (; g.first_group < c.shape.groups; g.first_group += w.wave_groups)
        for (int64_t p = 0; p < w.panels; p += w.wave_panels) {
            g.first_column = p * k->lanes;
            g.columns = lesser(w.columns - g.first_column, w.wave_panels * k->lanes);
            run_wave(pool, &g, &c, lesser(c.shape.groups - g.first_group, w.wave_groups), packed);
        }
}
