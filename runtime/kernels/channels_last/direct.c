/* Direct convolution by tiles: input pixels are read from where they are, nothing is unfolded or padded.
 *
 * Pixels of the result that meet the same taps form rectangles: the inside, and the edges. A rectangle is covered by
 * tiles along its rows or down its columns. */
#include "kernels/channels_last/direct.h"
#include "kernels/machine.h"
#include <math.h>
#include <string.h>

enum {
    PANEL_BYTES = CORE_CACHE / 4, /* of weights that are read once for each tile: they are to stay in a core's cache */
    FEW_PIXELS = 1024,
    MANY_WEIGHTS = CORE_CACHE / 2,
    SOME_PIXELS = 128, /* of several images, which small ones are taken together for */
    FEW_CHUNKS = 16,   /* but not so many that there are fewer chunks */
    FLAT_BAND = 24,    /* pixels; a multiple of the tiles' */
    WORTH_PIXELS = 96, /* so many are worth reading MANY_WEIGHTS for */
    LATENCY = 8,       /* sums that are on their way at once */
    ALL_GROUPS = -1    /* groups of a panel */
};

/* -- the shape -- */

static bool is_flat(const struct conv_shape *s)
{
    for (int i = 0; i < 2; i++)
        if (s->kernel[i] != 1 || s->strides[i] != 1 || s->pads_begin[i] != 0 || s->in[i] != s->out[i])
            return false;
    return true;
}

/* About the time that one of so many pixels in a line takes, where 1 is that of a vector's sum for one depth. A tile of
 * few sums waits for their latency, or for its weights: the second cache is taken to give 4 lanes of them in that
 * time. */
static double pixel_cost(const struct direct *d, int64_t vectors, int64_t pixels)
{
    const int64_t tiles = divide_up(pixels, d->k->conv->tile_pixels[vectors]), weights = vectors * d->k->lanes / 4;

    return (double)(greater(pixels * vectors, greater(LATENCY, weights) * tiles) + tiles) / (double)pixels;
}

/* How many vectors a panel has at most: as many as there may be, but where the lines that meet all taps are so short
 * that tiles of fewer vectors gain some hundredths. The batch has no say: weights are packed once for every batch. */
static int64_t panel_vectors(const struct direct *d)
{
    const struct axis down = axis_forward(&d->shape, 0), along = axis_forward(&d->shape, 1);
    const struct span rows = axis_inside(&down), columns = axis_inside(&along);
    int64_t best = TILE_VECTORS;
    double least = INFINITY;

    for (int64_t most = TILE_VECTORS; most > 1; most--) {
        const int64_t vectors = divide_up(d->vectors, divide_up(d->vectors, most));
        const double by_rows = pixel_cost(d, vectors, greater(columns.to - columns.from, 1));
        const double by_columns = pixel_cost(d, vectors, greater(rows.to - rows.from, 1));
        const double cost = fmin(by_rows, by_columns) / (double)vectors;

        if (cost < .97 * least) {
            least = cost;
            best = most;
        }
    }
    return best;
}

/* A chunk is of all panels, but where weights are many and the pixels of all images few. Where weights are many, a band
 * is large enough to be worth reading them for. */
static void cut(struct direct *d)
{
    const int64_t units = d->flat ? d->out[1] : d->out[0], pixels = d->out[0] * d->out[1], batch = d->shape.batch;
    const int64_t depth = d->taps * d->depth, lanes = d->vectors * d->k->lanes;
    const int64_t read =
        lesser(d->in[0], d->out[0] * d->shape.kernel[0]) * lesser(d->in[1], d->out[1] * d->shape.kernel[1]);
    const int64_t bytes = (read * d->x_channels + pixels * d->y_channels) * 4;
    const int64_t work = pixels * depth * lanes * d->groups, wanted = bands_chunks(work * batch);
    const bool many = depth * lanes * d->groups * 4 > MANY_WEIGHTS, by_panels = many && batch * pixels <= FEW_PIXELS;
    const int64_t across = by_panels ? lesser(d->panels, wanted) : 1;
    int64_t multiple = d->flat ? FLAT_BAND : 1;

    if (many)
        multiple = pixels < 2 * WORTH_PIXELS ? units : greater(multiple, divide_up(WORTH_PIXELS * units, pixels));
    d->panel_chunk = divide_up(d->panels, across);
    d->bands = bands_of(batch, units, pixels / units * d->y_channels, bytes / units, work / units, across, multiple);
    if (d->bands.bands == 1)
        d->bands.block_chunk = greater(
            d->bands.block_chunk, lesser(SOME_PIXELS / pixels, d->bands.blocks * across / lesser(wanted, FEW_CHUNKS)));
}

struct direct direct_of(const struct conv_last *c)
{
    struct direct d = { .k = c->k, .shape = c->shape, .back = c->pass == CONV_DX, .flat = is_flat(&c->shape) };
    struct conv_shape *s = &d.shape;

    if (d.flat) {
        s->in[1] = s->out[1] = s->in[0] * s->in[1];
        s->in[0] = s->out[0] = 1;
    }
    for (int i = 0; i < 2; i++) {
        d.in[i] = d.back ? s->out[i] : s->in[i];
        d.out[i] = d.back ? s->in[i] : s->out[i];
    }
    d.taps = s->kernel[0] * s->kernel[1];
    d.every = d.back ? -axis_phase(s, 1, 0).kernel_step : 1;
    d.x_channels = d.back ? s->out_channels : s->in_channels;
    d.y_channels = d.back ? s->in_channels : s->out_channels;
    d.together = 1;
    if (c->pass != CONV_DW)
        for (int64_t n = 2; n <= s->groups && d.y_channels / s->groups * n <= d.k->lanes; n++)
            if (s->groups % n == 0)
                d.together = n;
    d.groups = s->groups / d.together;
    d.width = d.y_channels / d.groups;
    d.depth = d.x_channels / d.groups;
    d.vectors = divide_up(d.width, d.k->lanes);
    d.group_panels = divide_up(d.vectors, c->pass == CONV_FORWARD ? panel_vectors(&d) : TILE_VECTORS);
    d.panels = d.group_panels * d.groups;
    cut(&d);
    return d;
}

struct panel direct_panel(const struct direct *d, int64_t p)
{
    const int64_t in_group = p % d->group_panels;
    struct panel r = { .group = p / d->group_panels, .first = even_start(d->vectors, d->group_panels, in_group) };

    r.vectors = even_start(d->vectors, d->group_panels, in_group + 1) - r.first;
    r.channel = r.first * d->k->lanes;
    r.lanes = r.vectors * d->k->lanes;
    r.channels = lesser(r.lanes, d->width - r.channel);
    r.offset = (r.group * d->vectors + r.first) * d->k->lanes * d->taps * d->depth;
    return r;
}

int64_t direct_slot(const struct direct *d, int64_t kernel_column)
{
    const int64_t kernel = d->shape.kernel[1];
    const int64_t every = d->every, residue = kernel_column % every;

    if (!d->back)
        return kernel_column;
    return residue * (kernel / every) + lesser(residue, kernel % every) + (kernel - 1 - residue) / every -
           kernel_column / every;
}

static bool direct_fits(struct conv_last *c, bool exact)
{
    (void)exact;
    return c->k->conv->tile && c->shape.batch > 0 && c->shape.in_channels > 0 && c->shape.out_channels > 0;
}

static struct conv_weights_key direct_key(const struct conv_last *c)
{
    const struct conv_shape *s = &c->shape;
    const struct direct d = direct_of(c);

    return (struct conv_weights_key){ .method = &conv_tiles,
                                      .detail = { c->pass, s->groups, s->in_channels, s->out_channels, s->kernel[0],
                                                  s->kernel[1], d.every, d.k->lanes, d.group_panels } };
}

static int64_t table_bytes(const struct direct *d) /* of a thread: rows of taps, where their pixels and weights are */
{
    return divide_up(2 * d->taps * (int64_t)sizeof(int64_t), 64) * 64;
}

static size_t direct_scratch(const struct conv_last *c, int threads)
{
    const struct direct d = direct_of(c);

    return c->pass == CONV_DW ? direct_dw_scratch(c) : (size_t)(table_bytes(&d) * threads);
}

static int64_t direct_blocks(const struct conv_last *c)
{
    return direct_of(c).bands.blocks;
}

/* -- forward, and the gradient by the input -- */

struct direct_job {
    const struct direct *d;
    const struct pool *pool;
    const float *x, *packed;
    const struct epilogue *e;
    float *y;
    char *tables;
};

/* What is done by one panel in one phase. `rows` are tap rows: rows of the kernel where a row's columns and depths lie
 * together in x, else columns of the kernel. `run` are their elements. */
struct sweep {
    const struct direct_job *job;
    struct panel panel;
    struct axis down, along;
    bool joined;
    struct span depths;    /* of the input's channels in the group: all, or those of one of ONNX' groups */
    struct span rows, run; /* those that are done at once */
    bool first, last;      /* of the parts of all that is to be summed */
    int64_t *row_at, *w_at;
    struct tile_next next; /* the weights behind these, those that no tile has brought near yet */
    struct tile tile;
};

/* The rows of taps of a rectangle; returns where the first one's pixel is, as seen from the rectangle's corner. */
static int64_t set_taps(struct sweep *s, struct span rows, struct span columns)
{
    const struct direct *d = s->job->d;
    const int64_t row = d->in[1] * d->x_channels, from_column = s->joined ? 0 : columns.from;
    const int64_t to_column = s->joined ? 1 : columns.to, across = s->joined ? 1 : s->along.taps;
    const int64_t from = s->joined ? greater(s->run.from, columns.from * d->depth) : s->run.from;
    const int64_t to = s->joined ? lesser(s->run.to, columns.to * d->depth) : s->run.to;
    int64_t n = 0, start = 0;

    for (int64_t i = rows.from; i < rows.to && from < to; i++)
        for (int64_t j = from_column; j < to_column; j++)
            if (i * across + j >= s->rows.from && i * across + j < s->rows.to) {
                const int64_t kernel_row = s->down.kernel + i * s->down.kernel_step;
                const int64_t slot = direct_slot(d, s->along.kernel + j * s->along.kernel_step);

                s->row_at[n] = i * s->down.spread * row + j * s->along.spread * d->x_channels + from;
                s->w_at[n] = ((kernel_row * d->shape.kernel[1] + slot) * d->depth + from) * s->panel.lanes;
                n++;
            }
    for (int64_t i = n; i-- > 0;) {
        start = s->row_at[0];
        s->row_at[i] -= start;
    }
    s->tile.rows = n;
    s->tile.run = n > 0 ? to - from : 0;
    return start;
}

/* A side of a box of pixels: how many, and how far apart they are in x and y. */
struct side {
    int64_t count, x, y;
};

/* Lines along the last side, by tiles of about the same size; x and `at` in y are those of the corner. */
static void cover(struct sweep *s, const float *x, int64_t at, const struct side box[3])
{
    const struct direct_job *job = s->job;
    const struct kernels *k = job->d->k;
    const struct side *pixel = &box[2];
    const int64_t parts = divide_up(pixel->count, k->conv->tile_pixels[s->panel.vectors]), each = pixel->count / parts;
    const int64_t longer = pixel->count % parts;
    const int64_t look = tiles_for_a_look((double)s->tile.rows * (double)s->tile.run * k->lanes);
    int64_t tiles = 0;
    struct tile t = s->tile;

    t.x_pixel = pixel->x;
    t.y_pixel = pixel->y;
    for (int64_t i = 0; i < box[0].count; i++)
        for (int64_t j = 0; j < box[1].count; j++)
            for (int64_t p = 0, from = 0; p < parts; p++, from += t.pixels) {
                const int64_t to = at + i * box[0].y + j * box[1].y + from * pixel->y;

                if (++tiles % look == 0 && pool_late(job->pool))
                    return;
                t.pixels = (int)(each + (p < longer));
                t.x = t.rows > 0 ? x + i * box[0].x + j * box[1].x + from * pixel->x : NULL;
                t.y = job->y + to;
                t.residual = s->first && job->e->residual ? job->e->residual + to : NULL;
                tile_bring(&t, &s->next);
                k->conv->tile(&t, (int)s->panel.vectors);
            }
}

static void run_rectangle(struct sweep *s, struct span images, struct span rows, struct span columns)
{
    const struct direct *d = s->job->d;
    const struct axis *down = &s->down, *along = &s->along;
    const struct span rows_of_taps = axis_taps(down, rows.from), columns_of_taps = axis_taps(along, columns.from);
    const int64_t start = set_taps(s, rows_of_taps, columns_of_taps);
    const int64_t row = rows.from * down->stride + down->base, column = columns.from * along->stride + along->base;
    const int64_t y_pixel = s->job->e->pixel ? s->job->e->pixel : d->y_channels;
    const int64_t x_row = d->in[1] * d->x_channels, y_row = d->out[1] * y_pixel;
    const int64_t from = (images.from * d->in[0] + row) * x_row + column * d->x_channels + s->panel.group * d->depth;
    const int64_t to_row = down->first + rows.from * down->step, to_column = along->first + columns.from * along->step;
    const int64_t at =
        (images.from * d->out[0] + to_row) * y_row + to_column * y_pixel + s->panel.group * d->width + s->panel.channel;
    struct side box[3] = {
        { images.to - images.from, d->in[0] * x_row, d->out[0] * y_row },
        { rows.to - rows.from, down->stride * x_row, down->step * y_row },
        { columns.to - columns.from, along->stride * d->x_channels, along->step * y_pixel },
    };
    int best = 2;

    for (int i = 1; i >= 0; i--)
        if (pixel_cost(d, s->panel.vectors, box[i].count) < pixel_cost(d, s->panel.vectors, box[best].count))
            best = i;
    if (best < 2) {
        const struct side last = box[2];

        box[2] = box[best];
        box[best] = last;
    }
    cover(s, s->tile.rows > 0 ? s->job->x + from + start : NULL, at, box);
}

/* Blocks of the same band of some images. */
static void run_blocks(struct sweep *s, int64_t block, int64_t images_end)
{
    const struct direct *d = s->job->d;
    const struct span images = { band_image(&d->bands, block), images_end };
    const struct span units = band_units(&d->bands, block);
    const struct span rows = d->flat ? (struct span){ 0, 1 } : axis_outputs(&s->down, units.from, units.to);
    const struct span columns = d->flat ? units : (struct span){ 0, s->along.count };
    struct span r = { rows.from, 0 }, c;

    for (; r.from < rows.to; r.from = r.to) {
        r.to = axis_alike(&s->down, r.from, rows.to);
        for (c.from = columns.from; c.from < columns.to; c.from = c.to) {
            c.to = axis_alike(&s->along, c.from, columns.to);
            run_rectangle(s, images, r, c);
        }
    }
}

/* What lies behind the weights of this part: those of the next one, of the panel or of the next panel. */
static void expect_next(struct sweep *s, int64_t blocks)
{
    const struct direct *d = s->job->d;
    const int64_t all = d->groups * d->vectors * d->k->lanes * d->taps * d->depth;
    const int64_t run = s->joined ? s->along.taps * d->depth : d->depth;
    const int64_t depths = (s->rows.to - s->rows.from) * (s->run.to - s->run.from), part = depths * s->panel.lanes;
    const int64_t from = s->panel.offset + (s->rows.from * run + s->run.from) * s->panel.lanes + part;
    const int64_t pixels = blocks * s->down.count * s->along.count / d->bands.bands; /* of this phase */
    const float *const behind = s->job->packed + lesser(from, all);

    s->next = tile_next_of(behind, behind + lesser(part, all - lesser(from, all)),
                           divide_up(pixels, d->k->conv->tile_pixels[s->panel.vectors]) * depths);
}

/* Taps in parts whose weights stay in the cache while all blocks meet them. */
static void run_sweep(struct sweep *s, struct span blocks)
{
    const struct direct *d = s->job->d;
    const struct epilogue *e = s->job->e;
    const int64_t rows = s->joined ? s->down.taps : s->down.taps * s->along.taps, begin = s->depths.from;
    const int64_t end = s->joined ? s->along.taps * d->depth : s->depths.to, run = end - begin;
    const int64_t bytes = greater(run * s->panel.lanes * 4, 1);
    const int64_t row_step = greater(lesser(rows, PANEL_BYTES / bytes), 1);
    const int64_t run_step = greater(divide_up(run, divide_up(bytes, PANEL_BYTES)), 1);

    for (int64_t r = 0; r == 0 || r < rows; r += row_step)
        for (int64_t i = begin; i == begin || i < end; i += run_step) {
            s->rows = (struct span){ r, lesser(r + row_step, rows) };
            s->run = (struct span){ i, lesser(i + run_step, end) };
            s->first = r == 0 && i == begin;
            s->last = r + row_step >= rows && i + run_step >= end;
            s->tile.add = !s->first;
            s->tile.bias = s->first && e->bias ? e->bias + s->panel.group * d->width + s->panel.channel : NULL;
            s->tile.least = s->last ? e->least : -INFINITY;
            s->tile.most = s->last ? e->most : INFINITY;
            expect_next(s, blocks.to - blocks.from);
            if (d->bands.bands == 1)
                run_blocks(s, blocks.from, blocks.to);
            else
                for (int64_t b = blocks.from; b < blocks.to; b++)
                    run_blocks(s, b, band_image(&d->bands, b) + 1);
        }
}

/* The rows of the input that rows `units` of the output read; of a flat image, pixels. */
static struct span rows_read(const struct direct *d, struct span units)
{
    const int64_t phases = d->back ? axis_phases(&d->shape, 0) : 1;
    struct span rows = { d->in[0], 0 };

    if (d->flat)
        return units;
    for (int64_t i = 0; i < phases; i++) {
        const struct axis a = d->back ? axis_phase(&d->shape, 0, i) : axis_forward(&d->shape, 0);
        const struct span r = axis_outputs(&a, units.from, units.to);

        if (r.from >= r.to || a.taps == 0)
            continue;
        rows.from = lesser(rows.from, greater(0, r.from * a.stride + a.base));
        rows.to = greater(rows.to, lesser(a.in, (r.to - 1) * a.stride + a.base + (a.taps - 1) * a.spread + 1));
    }
    return rows;
}

/* Is all finite that some blocks read of some channels? Sums tell: of whole pixels, whose channels lie together, at
 * about the price of a tile's step for each. */
static bool is_finite(const struct direct_job *job, struct span channels, struct span blocks)
{
    enum { COLUMNS = 64 };
    const struct direct *d = job->d;
    const int64_t row = d->flat ? 1 : d->in[1];

    for (int64_t b = blocks.from; b < blocks.to; b++) {
        const struct span rows = rows_read(d, band_units(&d->bands, b));
        const int64_t pixels = greater(0, rows.to - rows.from) * row;
        const float *const x =
            job->x + (band_image(&d->bands, b) * d->in[0] * d->in[1] + rows.from * row) * d->x_channels;
        int64_t n;

        if (channels.to - channels.from == d->x_channels) {
            if (!isfinite(d->k->reduce->sum(x, pixels * d->x_channels)))
                return false;
            continue;
        }
        for (int64_t c = channels.from; c < channels.to; c += n) {
            float sums[COLUMNS] = { 0 };

            n = lesser(COLUMNS, channels.to - c);
            d->k->reduce->sum_rows(x + c, pixels, n, d->x_channels, sums);
            if (!isfinite(d->k->reduce->sum(sums, n)))
                return false;
        }
    }
    return true;
}

/* May the groups of a panel be taken together? `all`: so may those of all panels. */
static bool may_join(const struct direct_job *job, int64_t p, bool all, struct span blocks)
{
    const struct direct *d = job->d;
    const int64_t first = direct_panel(d, p).group * d->depth;

    return all || d->together == 1 || is_finite(job, (struct span){ first, first + d->depth }, blocks);
}

/* One panel, or of the groups that it takes together only number `own`, with its part of the weights. */
static void run_panel(const struct direct_job *job, int64_t p, struct span blocks, int64_t own, int thread)
{
    const struct direct *d = job->d;
    const int64_t down = d->back ? axis_phases(&d->shape, 0) : 1, along = d->back ? axis_phases(&d->shape, 1) : 1;
    struct sweep s = { .job = job, .panel = direct_panel(d, p), .depths = { 0, d->depth } };
    const int64_t lane = own < 0 ? 0 : own * (d->width / d->together), depth = d->depth / d->together;

    if (own >= 0) {
        s.depths = (struct span){ own * depth, (own + 1) * depth };
        s.panel.channel += lane;
        s.panel.channels = d->width / d->together;
    }
    s.row_at = (int64_t *)(void *)(job->tables + thread * table_bytes(d));
    s.w_at = s.row_at + d->taps;
    s.tile = (struct tile){
        .row_at = s.row_at,
        .w = job->packed + s.panel.offset + lane,
        .w_step = s.panel.lanes,
        .w_at = s.w_at,
        .channels = (int)s.panel.channels,
        .w_padded = own < 0,
    };
    for (int64_t i = 0; i < down; i++)
        for (int64_t j = 0; j < along; j++) {
            s.down = d->back ? axis_phase(&d->shape, 0, i) : axis_forward(&d->shape, 0);
            s.along = d->back ? axis_phase(&d->shape, 1, j) : axis_forward(&d->shape, 1);
            s.joined = own < 0 && (s.along.taps <= 1 || (d->groups == 1 && s.along.spread == 1));
            run_sweep(&s, blocks);
        }
}

static void finish_block(void *context, int64_t block, int thread)
{
    const struct direct_job *job = context;

    band_finish(&job->d->bands, job->e, block, job->y, thread);
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct direct_job *job = context;
    const struct direct *d = job->d;
    const int64_t across = divide_up(d->panels, d->panel_chunk);
    const int64_t down = divide_up(d->bands.blocks, d->bands.block_chunk);
    const int64_t panel = chunk / down * d->panel_chunk; /* weights, of which there are many, stay for a while */
    const struct span blocks = chunk_blocks(&d->bands, chunk % down);
    const bool all = d->together > 1 && across == 1 && is_finite(job, (struct span){ 0, d->x_channels }, blocks);

    for (int64_t p = panel; p < lesser(panel + d->panel_chunk, d->panels); p++)
        if (may_join(job, p, all, blocks))
            run_panel(job, p, blocks, ALL_GROUPS, thread);
        else
            for (int64_t own = 0; own < d->together; own++)
                run_panel(job, p, blocks, own, thread);
    if (job->e->finish && across == 1)
        for (int64_t b = blocks.from; b < blocks.to; b++)
            finish_block(context, b, thread);
}

static void direct_run(const struct conv_last *c, struct pool *pool, const float *x, const float *w, const void *packed,
                       const struct epilogue *e, float *y, void *scratch)
{
    const struct direct d = direct_of(c);
    const int64_t across = divide_up(d.panels, d.panel_chunk);
    struct direct_job job = { .d = &d, .pool = pool, .x = x, .packed = packed, .e = e, .y = y, .tables = scratch };

    (void)w;
    pool_run(pool, divide_up(d.bands.blocks, d.bands.block_chunk) * across, run_chunk, &job);
    if (e->finish && across > 1)
        pool_run(pool, d.bands.blocks, finish_block, &job);
}

const struct conv_method conv_tiles = {
    .name = "direct",
    .wide_pixels = true,
    .fits = direct_fits,
    .key = direct_key,
    .weights = direct_weights,
    .pack = direct_pack,
    .scratch = direct_scratch,
    .blocks = direct_blocks,
    .run = direct_run,
    .dw = direct_dw,
    .sums_dy = direct_sums_dy,
};
