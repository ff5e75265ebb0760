/* The gradient of direct convolution by its weights, by tiles of weights.
 *
 * Bands of pixels are shared out among parts, each of which sums for itself; parts are added in pairs at last. Sums lie
 * as [panel][kernel row][kernel column][input channel][lanes]. */
#include "kernels/channels_last/direct.h"
#include "kernels/machine.h"
#include <string.h>

enum {
    BAND_BYTES = NEAREST_CACHE, /* of a panel's channels of dy in a band: they stay in the nearest cache */
    SUMS_BYTES = 8 << 20,       /* of all parts: more weights have fewer parts */
    PARTS = 16,
    CHUNKS = ENOUGH_JOBS,
    CHUNK_WORK = 2 * JOB_PRODUCTS,
    BLOCK = 64,
    MOST_LANES = 16,
    FEW_TAPS = 12, /* fewer channels than this are taken together with those of the next pixels */
};

struct sums {
    struct direct d;
    int64_t bands, band;   /* of an image: rows, or pixels of a flat one */
    int64_t images, units; /* a unit is a band of an image, or some whole images */
    int64_t parts, slices; /* slice: a kernel's row of one panel; chunk: some of them, in a part */
    int64_t slice_chunk;
    int64_t size; /* of a part, in floats */
    const float *x, *dy;
    float *sums, *dw;
    float *db, *dy_sums; /* NULL: not wanted; [parts][channels] */
};

static struct sums sums_of(const struct conv_last *c)
{
    struct sums s = { .d = direct_of(c) };
    const struct direct *d = &s.d;
    const int64_t units = d->flat ? d->out[1] : d->out[0], lanes = lesser(d->vectors, TILE_VECTORS) * d->k->lanes;
    const int64_t unit_bytes = (d->flat ? 1 : d->out[1]) * lanes * 4;
    int64_t work, wanted;

    s.band = lesser(units, greater(BAND_BYTES / unit_bytes, 1));
    s.bands = divide_up(units, s.band);
    s.images = s.bands > 1 ? 1 : greater(lesser(BAND_BYTES / (units * unit_bytes), d->shape.batch), 1);
    s.units = s.bands * divide_up(d->shape.batch, s.images);
    s.size = d->groups * d->vectors * d->k->lanes * d->taps * d->depth;
    work = s.size * d->out[0] * d->out[1] * d->shape.batch;
    wanted = work / CHUNK_WORK + 1;
    s.parts = lesser(lesser(greater(SUMS_BYTES / 4 / s.size, 1), PARTS), lesser(s.units, wanted));
    s.slices = d->panels * d->shape.kernel[0];
    s.slice_chunk = divide_up(s.slices, lesser(s.slices, divide_up(lesser(wanted, CHUNKS), s.parts)));
    return s;
}

size_t direct_dw_scratch(const struct conv_last *c)
{
    const struct sums s = sums_of(c);

    return (size_t)(s.parts * (s.size + c->shape.out_channels)) * sizeof(float);
}

bool direct_sums_dy(const struct conv_last *c)
{
    (void)c;
    return true;
}

/* -- sums -- */

struct stripe { /* pixels of dy that meet a row of taps: what a tile of weights is given */
    const struct sums *s;
    struct panel panel;
    struct span images, rows, columns;
    float *to; /* where the taps' sums are */
};
struct side { /* of the box of pixels: how many, and how far apart they are in x and dy */
    int64_t count, x, g;
};

static void sort(struct side box[3]) /* by count */
{
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2 - i; j++)
            if (box[j].count > box[j + 1].count) {
                const struct side s = box[j];

                box[j] = box[j + 1];
                box[j + 1] = s;
            }
}

/* x_row and x_column are what the first pixel meets with the first tap. */
static void add_stripe(const struct stripe *p, int64_t x_row, int64_t x_column, int64_t taps)
{
    const struct direct *d = &p->s->d;
    const struct conv_shape *shape = &d->shape;
    const int64_t count = divide_up(taps, d->k->conv->weight_taps[p->panel.vectors]);
    const int64_t row = d->in[1] * d->x_channels, g_row = d->out[1] * d->y_channels;
    const float *x =
        p->s->x + (p->images.from * d->in[0] + x_row) * row + x_column * d->x_channels + p->panel.group * d->depth;
    const float *g = p->s->dy + (p->images.from * d->out[0] + p->rows.from) * g_row + p->columns.from * d->y_channels +
                     p->panel.group * d->width + p->panel.channel;
    struct side box[3] = {
        { p->images.to - p->images.from, d->in[0] * row, d->out[0] * g_row },
        { p->rows.to - p->rows.from, shape->strides[0] * row, g_row },
        { p->columns.to - p->columns.from, shape->strides[1] * d->x_channels, d->y_channels },
    };
    struct weight_tile t = { .acc_step = p->panel.lanes, .channels = (int)p->panel.channels, .add = true };

    sort(box);
    t.rows = box[1].count;
    t.pixels = box[2].count;
    t.x_row = box[1].x;
    t.x_pixel = box[2].x;
    t.g_row = box[1].g;
    t.g_pixel = box[2].g;
    for (int64_t outer = 0; outer < box[0].count; outer++)
        for (int64_t i = 0, from = 0; i < count; i++, from += t.taps) {
            t.taps = (int)(taps / count + (i < taps % count));
            t.x = x + outer * box[0].x + from;
            t.g = g + outer * box[0].g;
            t.acc = p->to + from * p->panel.lanes;
            d->k->conv->weight_tile(&t, (int)p->panel.vectors);
        }
}

static struct span overlap(struct span a, struct span b)
{
    return (struct span){ greater(a.from, b.from), lesser(a.to, b.to) };
}
static bool empty(struct span s)
{
    return s.from >= s.to;
}

/* Kernel row `kernel_row` of a panel, over one unit. */
static void add_unit(const struct sums *s, const struct panel *panel, int64_t kernel_row, int64_t unit, float *to)
{
    const struct direct *d = &s->d;
    const struct axis down = axis_forward(&d->shape, 0), along = axis_forward(&d->shape, 1);
    const int64_t from = unit % s->bands * s->band;
    const struct span band = { from, from + s->band }, all_columns = { 0, along.count };
    const struct span rows = d->flat ? (struct span){ 0, 1 } : overlap(axis_meeting(&down, kernel_row), band);
    const struct span columns = d->flat ? overlap(all_columns, band) : all_columns;
    const int64_t row = rows.from * down.stride + down.base + kernel_row * down.spread;
    struct stripe p = { .s = s, .panel = *panel, .rows = rows };

    if (empty(rows))
        return;
    p.images.from = unit / s->bands * s->images;
    p.images.to = lesser(p.images.from + s->images, d->shape.batch);
    if (d->groups > 1 || along.spread > 1 || along.taps == 1 || d->depth >= FEW_TAPS) {
        for (int64_t t = 0; t < along.taps; t++) {
            p.columns = overlap(axis_meeting(&along, t), columns);
            p.to = to + t * d->depth * panel->lanes;
            if (!empty(p.columns))
                add_stripe(&p, row, p.columns.from * along.stride + along.base + t * along.spread, d->depth);
        }
        return;
    }
    for (p.columns.from = 0; p.columns.from < columns.to; p.columns.from = p.columns.to) {
        const struct span taps = axis_taps(&along, p.columns.from);

        p.columns.to = axis_alike(&along, p.columns.from, columns.to);
        p.to = to + taps.from * d->depth * panel->lanes;
        if (!empty(taps))
            add_stripe(&p, row, p.columns.from * along.stride + along.base + taps.from,
                       (taps.to - taps.from) * d->depth);
    }
}

/* The pixels of a unit lie one after the other. Called before its first products: those find them near. */
static void add_dy(const struct sums *s, const struct panel *panel, int64_t unit, float *to)
{
    const struct direct *d = &s->d;
    const int64_t row = d->flat ? 1 : d->out[1], pixels = d->out[0] * d->out[1];
    const int64_t image = unit / s->bands * s->images, images = lesser(s->images, d->shape.batch - image);
    const int64_t from = unit % s->bands * s->band * row, end = lesser(from + s->band * row, pixels);
    const int64_t channel = panel->group * d->width + panel->channel;
    float sum[TILE_VECTORS * MOST_LANES] = { 0 };

    d->k->reduce->sum_rows(s->dy + (image * pixels + from) * d->y_channels + channel, images * (end - from),
                           panel->channels, d->y_channels, sum);
    d->k->map->add(to + channel, sum, to + channel, panel->channels);
}

/* The first float of it; there may be one past the last. */
static int64_t slice_start(const struct sums *s, int64_t slice)
{
    const struct direct *d = &s->d;
    const int64_t rows = d->shape.kernel[0], panel = slice / rows;

    if (panel == d->panels)
        return s->size;
    return direct_panel(d, panel).offset + slice % rows * d->shape.kernel[1] * d->depth * direct_panel(d, panel).lanes;
}

static void sum_chunk(void *context, int64_t chunk, int thread)
{
    const struct sums *s = context;
    const int64_t rows = s->d.shape.kernel[0], across = divide_up(s->slices, s->slice_chunk);
    const int64_t part = chunk / across, first = chunk % across * s->slice_chunk;
    const int64_t end = lesser(first + s->slice_chunk, s->slices), start = slice_start(s, first);
    float *sums = s->sums + part * s->size, *const dy_sums = s->dy_sums + part * s->d.y_channels;

    (void)thread;
    if (first >= end)
        return;
    memset(sums + start, 0, (size_t)(slice_start(s, end) - start) * sizeof *sums);
    for (int64_t slice = first; slice < end && s->db; slice++) {
        const struct panel panel = direct_panel(&s->d, slice / rows);

        if (slice % rows == 0)
            memset(dy_sums + panel.group * s->d.width + panel.channel, 0, (size_t)panel.channels * sizeof *dy_sums);
    }
    for (int64_t unit = s->units * part / s->parts; unit < s->units * (part + 1) / s->parts; unit++)
        for (int64_t slice = first; slice < end; slice++) {
            const struct panel panel = direct_panel(&s->d, slice / rows);

            if (s->db && slice % rows == 0)
                add_dy(s, &panel, unit, dy_sums);
            add_unit(s, &panel, slice % rows, unit, sums + slice_start(s, slice));
        }
}

/* -- parts into one, and to ONNX' order -- */

static void add_parts(void *context, int64_t slice, int thread)
{
    const struct sums *s = context;
    const int64_t start = slice_start(s, slice), n = slice_start(s, slice + 1) - start;

    (void)thread;
    for (int64_t step = 1; step < s->parts; step *= 2)
        for (int64_t part = 0; part + step < s->parts; part += 2 * step) {
            float *to = s->sums + part * s->size + start;

            s->d.k->map->add(to, to + step * s->size, to, n);
        }
}

static void unpack_vector(void *context, int64_t n, int thread)
{
    const struct sums *s = context;
    const struct direct *d = &s->d;
    const int64_t lanes = d->k->lanes, length = d->depth * d->taps;
    int64_t p = n / d->vectors * d->group_panels;
    struct panel panel = direct_panel(d, p);
    float part[BLOCK * MOST_LANES];
    int64_t channel, channels, tap = 0, depth = 0;

    (void)thread;
    while (n % d->vectors >= panel.first + panel.vectors)
        panel = direct_panel(d, ++p);
    channel = n % d->vectors * lanes;
    channels = lesser(lanes, d->width - channel);
    for (int64_t from = 0; from < length; from += BLOCK) {
        const int64_t count = lesser(BLOCK, length - from);

        for (int64_t i = 0; i < count; i++) {
            memcpy(part + i * lanes,
                   s->sums + panel.offset + (tap * d->depth + depth) * panel.lanes + channel - panel.channel,
                   (size_t)lanes * sizeof *part);
            if (++tap == d->taps) {
                tap = 0;
                depth++;
            }
        }
        d->k->gemm->transpose_4((const void *)part, lanes,
                                (void *)(s->dw + (panel.group * d->width + channel) * length + from), length, count,
                                channels);
    }
}

void direct_dw(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw, float *db,
               void *scratch)
{
    struct sums s = sums_of(c);
    struct pool *rest = s.size > 8192 ? pool : NULL; /* for what is hardly worth it */

    s.x = x;
    s.dy = dy;
    s.dw = dw;
    s.db = db;
    s.sums = scratch;
    s.dy_sums = s.sums + s.parts * s.size;
    pool_run(pool, s.parts * divide_up(s.slices, s.slice_chunk), sum_chunk, &s);
    if (s.parts > 1)
        pool_run(rest, s.slices, add_parts, &s);
    if (db)
        memset(db, 0, (size_t)s.d.y_channels * sizeof *db);
    for (int64_t part = 0; part < s.parts && db; part++)
        s.d.k->map->add(db, s.dy_sums + part * s.d.y_channels, db, s.d.y_channels);
    pool_run(rest, s.d.groups * s.d.vectors, unpack_vector, &s);
}
