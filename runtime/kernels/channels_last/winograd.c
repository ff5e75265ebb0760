/* Winograd's minimal filtering: forward, and the gradient by input, which is the same with weights flipped and
 * exchanged. */
#include "kernels/channels_last/winograd.h"
#include "kernels/conv_plain.h"
#include "kernels/machine.h"
#include <math.h>
#include <string.h>

enum { SHAPE_ROWS, SHAPE_GROUP, SHAPE_COLUMNS, SHAPE_SHARED }; /* of conv_last.detail */

/* An odd number of cache lines, lest the 36 planes fall on the same sets of the cache. */
static int64_t plane_size(int64_t tiles, int64_t pixel)
{
    return (round_up(tiles * pixel, 16) / 16 | 1) * 16;
}

/* All but how it is cut. */
static struct winograd who_is_who(const struct conv_last *c)
{
    const struct conv_shape *s = &c->shape;
    const bool back = c->pass == CONV_DX;
    struct winograd w = { .k = c->k, .batch = s->batch, .taps = (int)s->kernel[0] };

    w.height = back ? s->out[0] : s->in[0];
    w.width = back ? s->out[1] : s->in[1];
    w.channels = back ? s->out_channels : s->in_channels;
    w.out_height = back ? s->in[0] : s->out[0];
    w.out_width = back ? s->in[1] : s->out[1];
    w.out_channels = back ? s->in_channels : s->out_channels;
    w.pad_rows = back ? w.taps - 1 - s->pads_begin[0] : s->pads_begin[0];
    w.pad_columns = back ? w.taps - 1 - s->pads_begin[1] : s->pads_begin[1];
    w.tile = WINOGRAD_EDGE + 1 - w.taps;
    w.tile_rows = divide_up(w.out_height, w.tile);
    w.tile_columns = divide_up(w.out_width, w.tile);
    w.in_pixel = round_up(w.channels, c->k->lanes);
    w.out_pixel = round_up(w.out_channels, c->k->lanes);
    return w;
}

struct winograd winograd_of(const struct conv_last *c)
{
    struct winograd w = who_is_who(c);
    int64_t tiles;

    w.rows = c->detail[SHAPE_ROWS];
    w.group = c->detail[SHAPE_GROUP];
    w.columns = c->detail[SHAPE_COLUMNS];
    w.shared = c->detail[SHAPE_SHARED] != 0;
    w.image_blocks = divide_up(w.tile_rows, w.rows);
    w.blocks = w.batch * w.image_blocks;
    w.groups = divide_up(w.blocks, w.group);
    tiles = w.rows * w.group * w.columns;
    w.in_plane = plane_size(tiles, w.in_pixel);
    w.out_plane = plane_size(tiles, w.out_pixel);
    return w;
}

/* -- tiles -- */

static int64_t row_of(const struct winograd *w, int64_t block) /* of tiles, of all images */
{
    return block / w->image_blocks * w->tile_rows + block % w->image_blocks * w->rows;
}

struct winograd_span winograd_group(const struct winograd *w, int64_t group)
{
    return (struct winograd_span){ .first = group * w->group,
                                   .end = lesser((group + 1) * w->group, w->blocks),
                                   .columns = w->tile_columns };
}
int64_t winograd_tiles(const struct winograd *w, const struct winograd_span *s)
{
    return (row_of(w, s->end) - row_of(w, s->first)) * s->columns;
}

/* Rows [row, end) of tiles of an image; planes of the span begin with `tile`. */
struct block {
    int64_t image, row, end, tile;
};
static struct block block_of(const struct winograd *w, const struct winograd_span *s, int64_t b)
{
    const int64_t row = b % w->image_blocks * w->rows;

    return (struct block){ .image = b / w->image_blocks,
                           .row = row,
                           .end = lesser(row + w->rows, w->tile_rows),
                           .tile = (row_of(w, b) - row_of(w, s->first)) * s->columns };
}

void winograd_transform(const struct winograd *w, const struct winograd_span *s, int64_t b, const float *x,
                        const float *zeros, float *out)
{
    const struct block at = block_of(w, s, b);
    struct winograd_patches p = { .x = x + at.image * w->height * w->width * w->channels,
                                  .height = w->height,
                                  .width = w->width,
                                  .channels = w->channels,
                                  .column = s->column * w->tile - w->pad_columns,
                                  .count = s->columns,
                                  .tile = w->tile,
                                  .zeros = zeros,
                                  .out = out + at.tile * w->in_pixel,
                                  .plane = w->in_plane,
                                  .pixel = w->in_pixel };

    for (int64_t r = at.row; r < at.end; r++, p.out += s->columns * p.pixel) {
        p.row = r * w->tile - w->pad_rows;
        w->k->winograd->input(&p);
    }
}
void winograd_transform_gradient(const struct winograd *w, const struct winograd_span *s, int64_t b, const float *dy,
                                 const float *zeros, float *out)
{
    const struct block at = block_of(w, s, b);
    struct winograd_patches p = { .x = dy + at.image * w->out_height * w->out_width * w->out_channels,
                                  .height = w->out_height,
                                  .width = w->out_width,
                                  .channels = w->out_channels,
                                  .column = s->column * w->tile,
                                  .count = s->columns,
                                  .tile = w->tile,
                                  .zeros = zeros,
                                  .out = out + at.tile * w->out_pixel,
                                  .plane = w->out_plane,
                                  .pixel = w->out_pixel };

    for (int64_t r = at.row; r < at.end; r++, p.out += s->columns * p.pixel) {
        p.row = r * w->tile;
        w->k->winograd->gradient(&p);
    }
}

struct span winograd_reads(const struct winograd *w, int64_t group)
{
    const struct winograd_span s = winograd_group(w, group);
    const int64_t row = w->width * w->channels, image = w->height * row;
    struct block first, last;

    if (group >= w->groups)
        return (struct span){ 0 };
    first = block_of(w, &s, s.first);
    last = block_of(w, &s, s.end - 1);
    return (struct span){
        .from = first.image * image + greater(0, first.row * w->tile - w->pad_rows) * row,
        .to = last.image * image + lesser(w->height, last.end * w->tile + w->taps - 1 - w->pad_rows) * row,
    };
}
struct span winograd_writes(const struct winograd *w, int64_t group)
{
    const struct winograd_span s = winograd_group(w, group);
    const int64_t row = w->out_width * w->out_channels, image = w->out_height * row;
    struct block first, last;

    if (group >= w->groups)
        return (struct span){ 0 };
    first = block_of(w, &s, s.first);
    last = block_of(w, &s, s.end - 1);
    return (struct span){
        .from = first.image * image + first.row * w->tile * row,
        .to = last.image * image + lesser(w->out_height, last.end * w->tile) * row,
    };
}

struct winograd_soon winograd_soon(const float *p, struct span r, int64_t times, bool write)
{
    return (struct winograd_soon){ .at = p + r.from,
                                   .end = p + r.to,
                                   .some = round_up(divide_up(r.to - r.from, times), WINOGRAD_LINE),
                                   .write = write };
}

/* -- weights -- */

/* Packed weights are [36][panel][channels][vectors * lanes]: panel p has the vectors from even_start(all, panels, p)
 * on. */
static int64_t vectors_of(const struct winograd *w)
{
    return w->out_pixel / w->k->lanes;
}
static int64_t panels_of(const struct winograd *w)
{
    int best = 1; /* the width that loads least for what it multiplies */

    for (int v = 2; v <= TILE_VECTORS; v++) {
        const int pixels = w->k->conv->tile_pixels[v], best_pixels = w->k->conv->tile_pixels[best];

        if (v * pixels * (best + best_pixels) >= best * best_pixels * (v + pixels))
            best = v;
    }
    return divide_up(vectors_of(w), best);
}

enum { PACK_DEPTHS = 16, MAX_LANES = 16, SMALL = 1 << 13 }; /* weights that one thread packs in some 20 us */

struct pack {
    const struct winograd *w;
    const float *weights;
    float *u;
    bool back;
    int64_t panels, depth_parts;
};

/* Channels of the result that a huge weight goes to: all that it is multiplied with becomes NaN, so that their sums are
 * plain ones. In the tiles, it would drown the other weights also where it meets nothing but pads. */
static void spoil_huge(const struct winograd_weights *t, int64_t lanes)
{
    const int64_t each = t->taps * t->taps;

    for (int64_t d = 0; d < t->count; d++)
        for (int64_t l = 0; l < lanes; l++)
            for (int64_t i = 0; i < WINOGRAD_POINTS && !winograd_good(t->w + d * each * lanes + l, each, lanes); i++)
                t->u[i * t->plane + d * t->step + l] = NAN;
}

/* Depths from d on, for the vector of results that begins with o. */
static void pack_vector(const struct pack *p, int64_t o, int64_t width, float *u, int64_t d, int64_t count)
{
    const struct winograd *const w = p->w;
    const int64_t lanes = w->k->lanes, used = lesser(lanes, w->out_channels - o);
    const int64_t each = w->taps * w->taps;
    float taps[PACK_DEPTHS * WINOGRAD_TAPS * WINOGRAD_TAPS * MAX_LANES];
    struct winograd_weights t = { .w = taps,
                                  .count = count,
                                  .taps = w->taps,
                                  .flip = p->back,
                                  .u = u,
                                  .plane = w->channels * w->out_pixel,
                                  .step = width };

    if (used < lanes)
        memset(taps, 0, sizeof taps);
    if (!p->back)
        w->k->gemm->transpose_4((const uint32_t *)(const void *)(p->weights + (o * w->channels + d) * each),
                                w->channels * each, (uint32_t *)(void *)taps, lanes, used, count * each);
    for (int64_t e = 0; p->back && e < count; e++)
        w->k->gemm->transpose_4((const uint32_t *)(const void *)(p->weights + ((d + e) * w->out_channels + o) * each),
                                each, (uint32_t *)(void *)(taps + e * each * lanes), lanes, used, each);
    w->k->winograd->weights(&t);
    if (!(w->k->reduce->sum_squares(taps, count * each * lanes) < WINOGRAD_HUGE))
        spoil_huge(&t, lanes);
}
static void pack_chunk(void *context, int64_t k, int thread)
{
    const struct pack *const p = context;
    const struct winograd *const w = p->w;
    const int64_t panel = k / p->depth_parts, part = k % p->depth_parts, lanes = w->k->lanes;
    const int64_t first = even_start(vectors_of(w), p->panels, panel) * lanes;
    const int64_t width = even_start(vectors_of(w), p->panels, panel + 1) * lanes - first;
    const int64_t end = even_start(w->channels, p->depth_parts, part + 1);

    (void)thread;
    for (int64_t d = even_start(w->channels, p->depth_parts, part); d < end; d += PACK_DEPTHS)
        for (int64_t o = 0; o < width; o += lanes)
            pack_vector(p, first + o, width, p->u + first * w->channels + d * width + o, d,
                        lesser(PACK_DEPTHS, end - d));
}
static void pack(const struct conv_last *c, struct pool *pool, const float *weights, void *packed)
{
    const struct winograd w = winograd_of(c);
    struct pack p = { .w = &w, .weights = weights, .u = packed, .back = c->pass == CONV_DX, .panels = panels_of(&w) };

    p.depth_parts = divide_up(w.channels, greater(PACK_DEPTHS, SMALL / (w.out_pixel / p.panels)));
    pool_run(w.channels * w.out_pixel > SMALL ? pool : NULL, p.panels * p.depth_parts, pack_chunk, &p);
}
static int64_t matrices_of(const struct winograd *w) /* bytes */
{
    return WINOGRAD_POINTS * w->channels * w->out_pixel * (int64_t)sizeof(float);
}
static size_t weights(const struct conv_last *c)
{
    const struct winograd w = who_is_who(c);

    return (size_t)matrices_of(&w);
}
static struct conv_weights_key key(const struct conv_last *c)
{
    const struct winograd w = who_is_who(c);

    return (struct conv_weights_key){ .method = &conv_winograd,
                                      .detail = { w.channels, w.out_channels, c->pass == CONV_DX, c->k->level } };
}

/* -- forward -- */

struct winograd_job {
    struct winograd w;
    struct conv_plain plain;
    bool back;
    int64_t panels, panel_parts;
    const float *x, *u;
    const struct epilogue *e;
    float *y;
    float *zeros, *planes;
    struct winograd_span span; /* shared: the group */
    int threads;
};

/* Plane i of the sums, panels [panel, end). */
static void products(const struct winograd_job *j, const float *in, float *out, int64_t i, int64_t panel, int64_t end,
                     int64_t tiles, struct winograd_soon soon[2])
{
    const struct winograd *const w = &j->w;
    const int64_t lanes = w->k->lanes, all = vectors_of(w);
    const char *const weights_end = (const char *)j->u + matrices_of(w);

    for (; panel < end; panel++) {
        const int64_t first = even_start(all, j->panels, panel) * lanes;
        const int vectors = (int)(even_start(all, j->panels, panel + 1) - first / lanes);
        const int64_t parts = divide_up(tiles, w->k->conv->tile_pixels[vectors]);
        struct tile t = { .rows = 1,
                          .run = w->channels,
                          .x_pixel = w->in_pixel,
                          .w = j->u + (i * w->out_pixel + first) * w->channels,
                          .w_step = vectors * lanes,
                          .y_pixel = w->out_pixel,
                          .channels = vectors * (int)lanes,
                          .least = -INFINITY,
                          .most = INFINITY };
        const char *const behind = (const char *)(t.w + w->channels * t.w_step); /* the next panel, or plane */
        struct tile_next next = tile_next_of(behind, behind + lesser(behind - (const char *)t.w, weights_end - behind),
                                             parts * w->channels);

        for (int64_t p = 0; p < parts; p++) {
            const int64_t tile = even_start(tiles, parts, p);

            t.x = in + i * w->in_plane + tile * w->in_pixel;
            t.y = out + i * w->out_plane + tile * w->out_pixel + first;
            t.pixels = (int)(even_start(tiles, parts, p + 1) - tile);
            tile_bring(&t, &next);
            w->k->conv->tile(&t, vectors);
            winograd_fetch(&soon[0]);
            winograd_fetch(&soon[1]);
        }
    }
}

/* What the tiles' sums are taken for. */
struct result {
    const struct winograd_job *job;
    int64_t image;
};

/* By plain sums, channels that are huge or not finite. */
static void results_again(const struct winograd_results *w, int64_t t, int64_t c, int64_t n, const float *sums)
{
    const struct result *const r = w->context;
    const int64_t lanes = r->job->w.k->lanes, first = w->column + t * w->tile, pixels = w->tile * w->tile;
    double (*const plain)(const struct conv_plain *, int64_t, int64_t, const int64_t *) =
        r->job->back ? conv_plain_dx : conv_plain_y;

    for (int64_t l = 0; l < n; l++) {
        const bool good = winograd_good(sums + l, pixels, lanes);

        if (!good && pool_late(r->job->plain.pool))
            return;
        for (int64_t p = 0; p < pixels; p++) {
            const int64_t pixel[] = { w->row + p / w->tile, first + p % w->tile };
            const int64_t at = (pixel[0] * w->width + pixel[1]) * w->y_pixel + c + l;
            float v = sums[p * lanes + l];

            if (pixel[0] >= w->height || pixel[1] >= w->width)
                continue;
            if (!good)
                v = (float)plain(&r->job->plain, r->image, c + l, pixel);
            v += w->bias ? w->bias[c + l] : 0;
            if (w->residual)
                v += w->residual[at];
            v = v < w->least ? w->least : v;
            w->y[at] = v > w->most ? w->most : v;
        }
    }
}

static void results(const struct winograd_job *j, const struct winograd_span *s, int64_t b, const float *in)
{
    const struct winograd *const w = &j->w;
    const struct block at = block_of(w, s, b);
    const int64_t pixel = j->e->pixel ? j->e->pixel : w->out_channels;
    const int64_t image = at.image * w->out_height * w->out_width * pixel;
    const struct result result = { j, at.image };
    struct winograd_results r = { .in = in + at.tile * w->out_pixel,
                                  .plane = w->out_plane,
                                  .pixel = w->out_pixel,
                                  .count = s->columns,
                                  .tile = w->tile,
                                  .y = j->y + image,
                                  .y_pixel = pixel,
                                  .height = w->out_height,
                                  .width = w->out_width,
                                  .channels = w->out_channels,
                                  .column = s->column * w->tile,
                                  .bias = j->e->bias,
                                  .residual = j->e->residual ? j->e->residual + image : NULL,
                                  .least = j->e->least,
                                  .most = j->e->most,
                                  .again = results_again,
                                  .context = &result };

    for (int64_t row = at.row; row < at.end; row++, r.in += s->columns * r.pixel) {
        r.row = row * w->tile;
        w->k->winograd->results(&r);
    }
}
static void finish(const struct winograd_job *j, const struct winograd_span *s, int64_t b, int thread)
{
    const struct winograd *const w = &j->w;
    const struct block at = block_of(w, s, b);
    const int64_t pixels = w->out_width * w->out_channels, row = at.row * w->tile;
    const int64_t end = lesser(at.end * w->tile, w->out_height), from = (at.image * w->out_height + row) * pixels;

    if (j->e->finish)
        j->e->finish(j->e->context, b, from, (end - row) * pixels, j->y + from, thread);
}

/* A group, by one thread. */
static void group_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_job *const j = context;
    const struct winograd *const w = &j->w;
    float *const in = j->planes + thread * WINOGRAD_POINTS * (w->in_plane + w->out_plane);
    float *const out = in + WINOGRAD_POINTS * w->in_plane;
    const int64_t parts = divide_up(w->tile_columns, w->columns);
    const int64_t pixels = w->k->conv->tile_pixels[divide_up(vectors_of(w), j->panels)];
    const int64_t times = WINOGRAD_POINTS * parts * j->panels * divide_up(w->rows * w->group * w->columns, pixels);
    struct winograd_span s = winograd_group(w, k);
    /* what this thread is likely to read next, and will write now */
    struct winograd_soon soon[2] = { winograd_soon(j->x, winograd_reads(w, k + j->threads), times, false),
                                     winograd_soon(j->y, winograd_writes(w, k), times, true) };

    if (j->e->pixel)
        soon[1] = (struct winograd_soon){ 0 };

    for (int64_t p = 0; p < parts; p++) {
        s.column = even_start(w->tile_columns, parts, p);
        s.columns = even_start(w->tile_columns, parts, p + 1) - s.column;
        for (int64_t b = s.first; b < s.end; b++)
            winograd_transform(w, &s, b, j->x, j->zeros, in);
        for (int64_t i = 0; i < WINOGRAD_POINTS; i++)
            products(j, in, out, i, 0, j->panels, winograd_tiles(w, &s), soon);
        for (int64_t b = s.first; b < s.end; b++)
            results(j, &s, b, out);
    }
    for (int64_t b = s.first; b < s.end; b++)
        finish(j, &s, b, thread);
}

/* A group, by all. */
static void transform_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_job *const j = context;

    (void)thread;
    winograd_transform(&j->w, &j->span, j->span.first + k, j->x, j->zeros, j->planes);
}
static void products_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_job *const j = context;
    const int64_t part = k % j->panel_parts;
    struct winograd_soon none[2] = { 0 };

    (void)thread;
    products(j, j->planes, j->planes + WINOGRAD_POINTS * j->w.in_plane, k / j->panel_parts,
             even_start(j->panels, j->panel_parts, part), even_start(j->panels, j->panel_parts, part + 1),
             winograd_tiles(&j->w, &j->span), none);
}
static void results_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_job *const j = context;
    const int64_t b = j->span.first + k;

    results(j, &j->span, b, j->planes + WINOGRAD_POINTS * j->w.in_plane);
    finish(j, &j->span, b, thread);
}

static void run(const struct conv_last *c, struct pool *pool, const float *x, const float *weights, const void *packed,
                const struct epilogue *e, float *y, void *scratch)
{
    struct winograd_job j = {
        .w = winograd_of(c), .x = x, .u = packed, .e = e, .y = y, .zeros = scratch, .threads = pool_threads(pool)
    };
    int64_t work;

    j.plain = (struct conv_plain){
        .shape = &c->shape, .dtype = F32, .channels_last = true, .x = x, .w = weights, .dy = x, .pool = pool
    };
    j.back = c->pass == CONV_DX;
    j.panels = panels_of(&j.w);
    j.planes = j.zeros + round_up(j.w.in_pixel, 16);
    memset(j.zeros, 0, (size_t)j.w.in_pixel * sizeof *j.zeros);
    if (!j.w.shared) {
        pool_run(pool, j.w.groups, group_chunk, &j);
        return;
    }
    for (int64_t g = 0; g < j.w.groups; g++) {
        j.span = winograd_group(&j.w, g);
        work = winograd_tiles(&j.w, &j.span) * j.w.channels * (j.w.out_pixel / j.panels); /* of a plane and panel */
        j.panel_parts = divide_up(j.panels, greater(1, (1 << 20) / greater(work, 1)));
        pool_run(pool, j.span.end - j.span.first, transform_chunk, &j);
        pool_run(pool, WINOGRAD_POINTS * j.panel_parts, products_chunk, &j);
        pool_run(pool, j.span.end - j.span.first, results_chunk, &j);
    }
}
static size_t scratch(const struct conv_last *c, int threads)
{
    struct winograd w;

    if (c->pass == CONV_DW)
        return winograd_weight_scratch(c, threads);
    w = winograd_of(c);
    return (size_t)(round_up(w.in_pixel, 16) +
                    (w.shared ? 1 : threads) * WINOGRAD_POINTS * (w.in_plane + w.out_plane)) *
           sizeof(float);
}
static int64_t blocks(const struct conv_last *c)
{
    return winograd_of(c).blocks;
}

/* -- how it is cut -- */

/* All sizes were measured. Transformed weights that take more than that are
 * read from memory once for each group: such a group should be big, and be shared. Else the planes of a group should
 * stay in the cache beside the weights; sums over tiles, for the gradient by weights, gain more from longer runs. */
enum { MIN_TILES = 12, MAX_TILES = 64, CHUNKS = 12, ONE_CHUNK = JOB_PRODUCTS };

static void cut(struct conv_last *c)
{
    const struct winograd w = who_is_who(c);
    const int64_t image = w.tile_rows * w.tile_columns, all = w.batch * image;
    const int64_t tile = WINOGRAD_POINTS * (int64_t)sizeof(float) * (w.in_pixel + w.out_pixel);
    const bool small = all * w.channels * w.out_pixel <= ONE_CHUNK / WINOGRAD_POINTS, sums = c->pass == CONV_DW;
    const bool shared = !small && matrices_of(&w) > CORE_CACHE;
    int64_t rows, group, tiles = all;

    if (shared)
        tiles =
            lesser(greater(2 * MAX_TILES, (sums ? 12 << 20 : 6 << 20) / tile), greater(MIN_TILES, (24 << 20) / tile));
    else if (!small) { /* enough groups for many threads */
        tiles = greater(MIN_TILES, lesser(MAX_TILES, (sums ? 800 << 10 : CORE_CACHE / 2) / tile));
        tiles = lesser(tiles, greater(MIN_TILES, all / CHUNKS));
    }
    rows = lesser(w.tile_rows, greater(1, tiles / w.tile_columns));
    rows = divide_up(w.tile_rows, divide_up(w.tile_rows, rows));
    group = rows < w.tile_rows ? 1 : lesser(w.batch, greater(1, tiles / image));
    if (shared) { /* the rows of a group are work for several threads */
        group *= rows;
        rows = 1;
    }
    c->detail[SHAPE_ROWS] = rows;
    c->detail[SHAPE_GROUP] = group;
    c->detail[SHAPE_COLUMNS] = rows * group > 1 ? w.tile_columns : lesser(w.tile_columns, tiles);
    c->detail[SHAPE_SHARED] = shared;
}

/* Where it was measured to be faster than tiles: unless padding to whole tiles takes the gain away, or reading up to
 * four times as many weights does. Errors of a gradient by 5x5 weights would be more than 1e-4 of its elements'
 * size. */
enum { MIN_CHANNELS = 16, FEW_TILES = 6, MOST_TAPS_OF_DW = 4 };

static bool fits(struct conv_last *c, bool exact)
{
    const struct conv_shape *const s = &c->shape;
    const int64_t taps = s->kernel[0], most = c->pass == CONV_DW ? MOST_TAPS_OF_DW : WINOGRAD_TAPS;
    struct winograd w;

    if (exact || s->rank != 2 || s->groups != 1 || s->in_channels < MIN_CHANNELS || s->out_channels < MIN_CHANNELS)
        return false;
    for (int d = 0; d < 2; d++)
        if (taps < 3 || taps > most || s->kernel[d] != taps || s->strides[d] != 1 || s->dilations[d] != 1 ||
            s->pads_begin[d] < 0 || s->pads_begin[d] >= taps)
            return false;
    w = who_is_who(c);
    if (w.tile_rows * w.tile_columns * WINOGRAD_POINTS * 5 > w.out_height * w.out_width * taps * taps * 4 ||
        (w.batch * w.tile_rows * w.tile_columns < FEW_TILES && matrices_of(&w) > 16 << 20))
        return false;
    cut(c);
    return true;
}

const struct conv_method conv_winograd = {
    .name = "winograd",
    .reads_weights = true,
    .wide_pixels = true,
    .fits = fits,
    .key = key,
    .weights = weights,
    .pack = pack,
    .scratch = scratch,
    .blocks = blocks,
    .run = run,
    .dw = winograd_weight,
    .sums_dy = winograd_sums_dy,
};
