/* Winograd's minimal filtering: the gradient by weights. The 36 sums of products run over all tiles of all images; they
 * are cut into parts, whose sums are added in order, or, where one such sum is too big to have several, into
 * matrices. */
#include "kernels/channels_last/winograd.h"
#include "kernels/conv_plain.h"
#include "kernels/machine.h"
#include <string.h>

enum { MAX_PARTS = 16, PART_WORK = 2 * JOB_PRODUCTS, DEPTHS = 16, MAX_LANES = 16 };

struct winograd_weight_job {
    struct winograd w;
    int64_t parts;
    int64_t panels, panel_parts; /* of dy's channels */
    int64_t taps;                /* of x's channels in a tile, at most */
    int64_t sums;                /* elements of [36][channels][out_pixel] */
    struct conv_plain plain;
    const float *x, *dy;
    float *ones, *zeros, *planes, *acc, *total, *dw;
    float *db, *dy_sums;       /* NULL: not wanted; of each part, and of the group that it is at */
    struct winograd_span span; /* shared: the group */
    bool add;
};

static struct winograd_weight_job job_of(const struct conv_last *c)
{
    struct winograd_weight_job j = { .w = winograd_of(c), .parts = 1 };
    const struct winograd *const w = &j.w;
    const int *const taps = w->k->conv->weight_taps;
    const int64_t vectors = w->out_pixel / w->k->lanes;
    const int64_t work = w->batch * w->tile_rows * w->tile_columns * w->channels * w->out_pixel;
    int best = 1;

    for (int v = 2; v <= TILE_VECTORS; v++)
        if (v * taps[v] * (best + taps[best]) >= best * taps[best] * (v + taps[v]))
            best = v;
    j.panels = divide_up(vectors, best);
    j.taps = taps[divide_up(vectors, j.panels)];
    j.sums = WINOGRAD_POINTS * w->channels * w->out_pixel;
    if (!w->shared)
        j.parts = greater(1, lesser(lesser(w->groups, MAX_PARTS), work / (PART_WORK / WINOGRAD_POINTS)));
    return j;
}

/* -- products -- */

/* Plane i, panels [panel, end): acc = or += sums over the tiles of a span. */
static void products(const struct winograd_weight_job *j, const float *in, const float *gradient, float *acc, int64_t i,
                     int64_t panel, int64_t end, int64_t tiles, bool add, struct winograd_soon soon[2])
{
    const struct winograd *const w = &j->w;
    const int64_t lanes = w->k->lanes, all = w->out_pixel / lanes;

    for (; panel < end; panel++) {
        const int64_t first = even_start(all, j->panels, panel) * lanes;
        const int vectors = (int)(even_start(all, j->panels, panel + 1) - first / lanes);
        const int64_t parts = divide_up(w->channels, w->k->conv->weight_taps[vectors]);
        struct weight_tile t = { .rows = 1,
                                 .pixels = tiles,
                                 .x_pixel = w->in_pixel,
                                 .g = gradient + i * w->out_plane + first,
                                 .g_pixel = w->out_pixel,
                                 .acc_step = w->out_pixel,
                                 .channels = vectors * (int)lanes,
                                 .add = add };

        for (int64_t p = 0; p < parts; p++) {
            const int64_t c = even_start(w->channels, parts, p);

            t.x = in + i * w->in_plane + c;
            t.acc = acc + (i * w->channels + c) * w->out_pixel + first;
            t.taps = (int)(even_start(w->channels, parts, p + 1) - c);
            w->k->conv->weight_tile(&t, vectors);
            winograd_fetch(&soon[0]);
            winograd_fetch(&soon[1]);
        }
    }
}

/* A group's pixels lie one after the other. To have them near when they are transformed, they are summed before. */
static void add_dy(const struct winograd_weight_job *j, int64_t group, float *sum)
{
    const int64_t channels = j->w.out_channels;
    const struct span r = winograd_writes(&j->w, group);
    float *const of_group = sum + channels;

    memset(of_group, 0, (size_t)channels * sizeof *sum);
    j->w.k->reduce->sum_rows(j->dy + r.from, (r.to - r.from) / channels, channels, channels, of_group);
    j->w.k->map->add(sum, of_group, sum, channels);
}

/* Groups of a part, by one thread. */
static void part_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_weight_job *const j = context;
    const struct winograd *const w = &j->w;
    float *const in = j->planes + thread * WINOGRAD_POINTS * (w->in_plane + w->out_plane);
    float *const gradient = in + WINOGRAD_POINTS * w->in_plane;
    const int64_t pieces = divide_up(w->tile_columns, w->columns);
    const int64_t times = WINOGRAD_POINTS * j->panels * divide_up(w->channels, j->taps) * pieces;
    float *const dy_sum = j->dy_sums + 2 * k * w->out_channels;
    bool add = false;

    memset(dy_sum, 0, (size_t)(j->db ? w->out_channels : 0) * sizeof *dy_sum);
    for (int64_t g = even_start(w->groups, j->parts, k); g < even_start(w->groups, j->parts, k + 1); g++) {
        struct winograd_span s = winograd_group(w, g);
        struct winograd_soon soon[2] = { winograd_soon(j->x, winograd_reads(w, g + 1), times, false),
                                         winograd_soon(j->dy, winograd_writes(w, g + 1), times, false) };

        if (j->db)
            add_dy(j, g, dy_sum);
        for (int64_t p = 0; p < pieces; p++, add = true) {
            s.column = even_start(w->tile_columns, pieces, p);
            s.columns = even_start(w->tile_columns, pieces, p + 1) - s.column;
            for (int64_t b = s.first; b < s.end; b++) {
                winograd_transform(w, &s, b, j->x, j->zeros, in);
                winograd_transform_gradient(w, &s, b, j->dy, j->zeros, gradient);
            }
            for (int64_t i = 0; i < WINOGRAD_POINTS; i++)
                products(j, in, gradient, j->acc + k * j->sums, i, 0, j->panels, winograd_tiles(w, &s), add, soon);
        }
    }
}

/* A group, by all. */
static void transform_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_weight_job *const j = context;

    (void)thread;
    winograd_transform(&j->w, &j->span, j->span.first + k, j->x, j->zeros, j->planes);
    winograd_transform_gradient(&j->w, &j->span, j->span.first + k, j->dy, j->zeros,
                                j->planes + WINOGRAD_POINTS * j->w.in_plane);
}
static void products_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_weight_job *const j = context;
    const int64_t part = k % j->panel_parts;
    struct winograd_soon none[2] = { 0 };

    (void)thread;
    products(j, j->planes, j->planes + WINOGRAD_POINTS * j->w.in_plane, j->acc, k / j->panel_parts,
             even_start(j->panels, j->panel_parts, part), even_start(j->panels, j->panel_parts, part + 1),
             winograd_tiles(&j->w, &j->span), j->add, none);
}

/* -- what becomes of the sums -- */

static void total_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_weight_job *const j = context;
    const int64_t n = j->sums / WINOGRAD_POINTS;

    (void)thread;
    j->w.k->reduce->combine_rows(j->ones, 1, j->acc + k * n, j->parts, n, j->sums, j->total + k * n);
}

/* What is huge or not finite has reached all taps: again by plain sums, x's channels from c on, dy's from o on. */
static void taps_again(const struct winograd_weight_job *j, int64_t o, int64_t c, int64_t count, float *taps)
{
    const struct winograd *const w = &j->w;
    const int64_t lanes = w->k->lanes, each = w->taps * w->taps;

    for (int64_t d = 0; d < count; d++)
        for (int64_t l = 0; l < lesser(lanes, w->out_channels - o); l++) {
            float *const of = taps + d * each * lanes + l;
            const bool good = winograd_good(of, each, lanes);

            for (int64_t t = 0; t < each && !good && !pool_late(j->plain.pool); t++)
                of[t * lanes] =
                    (float)conv_plain_dw(&j->plain, o + l, c + d, (const int64_t[]){ t / w->taps, t % w->taps });
        }
}

/* DEPTHS of x's channels, for a vector of dy's. */
static void result_chunk(void *context, int64_t k, int thread)
{
    const struct winograd_weight_job *const j = context;
    const struct winograd *const w = &j->w;
    const int64_t lanes = w->k->lanes, depth_parts = divide_up(w->channels, DEPTHS);
    const int64_t o = k / depth_parts * lanes, c = k % depth_parts * DEPTHS, each = w->taps * w->taps;
    float taps[DEPTHS * WINOGRAD_TAPS * WINOGRAD_TAPS * MAX_LANES];
    const struct winograd_weight_gradient r = { .u = j->total + c * w->out_pixel + o,
                                                .count = lesser(DEPTHS, w->channels - c),
                                                .taps = w->taps,
                                                .plane = w->channels * w->out_pixel,
                                                .step = w->out_pixel,
                                                .dw = taps };

    (void)thread;
    w->k->winograd->weight_gradient(&r);
    if (!(w->k->reduce->sum_squares(taps, r.count * each * lanes) < WINOGRAD_HUGE))
        taps_again(j, o, c, r.count, taps);
    w->k->gemm->transpose_4((const uint32_t *)(const void *)taps, lanes,
                            (uint32_t *)(void *)(j->dw + (o * w->channels + c) * each), w->channels * each,
                            r.count * each, lesser(lanes, w->out_channels - o));
}

static int64_t dy_sums_size(const struct winograd_weight_job *j)
{
    return j->w.shared ? 0 : round_up(2 * j->parts * j->w.out_channels, 16);
}

bool winograd_sums_dy(const struct conv_last *c)
{
    return !winograd_of(c).shared;
}

void winograd_weight(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw,
                     float *db, void *scratch)
{
    struct winograd_weight_job j = job_of(c);
    const struct winograd *const w = &j.w;
    const int64_t channels = greater(w->in_pixel, w->out_pixel);
    const int64_t chunks = w->out_pixel / w->k->lanes * divide_up(w->channels, DEPTHS);
    int64_t work;

    j.ones = scratch;
    j.zeros = j.ones + MAX_PARTS;
    for (int p = 0; p < MAX_PARTS; p++)
        j.ones[p] = 1;
    memset(j.zeros, 0, (size_t)channels * sizeof *j.zeros);
    j.total = j.zeros + round_up(channels, 16);
    j.acc = j.parts > 1 ? j.total + j.sums : j.total;
    j.db = db;
    j.dy_sums = j.acc + j.parts * j.sums;
    j.planes = j.dy_sums + dy_sums_size(&j);
    j.x = x;
    j.dy = dy;
    j.plain =
        (struct conv_plain){ .shape = &c->shape, .dtype = F32, .channels_last = true, .x = x, .dy = dy, .pool = pool };
    j.dw = dw;
    if (!w->shared)
        pool_run(pool, j.parts, part_chunk, &j);
    for (int64_t g = 0; w->shared && g < w->groups; g++) {
        j.span = winograd_group(w, g);
        j.add = g > 0;
        work = winograd_tiles(w, &j.span) * w->channels * (w->out_pixel / j.panels); /* of a plane and panel */
        j.panel_parts = divide_up(j.panels, greater(1, (1 << 20) / greater(work, 1)));
        pool_run(pool, j.span.end - j.span.first, transform_chunk, &j);
        pool_run(pool, WINOGRAD_POINTS * j.panel_parts, products_chunk, &j);
    }
    if (j.parts > 1)
        pool_run(pool, WINOGRAD_POINTS, total_chunk, &j);
    if (db)
        w->k->reduce->combine_rows(j.ones, 1, j.dy_sums, j.parts, w->out_channels, 2 * w->out_channels, db);
    pool_run(chunks > 32 ? pool : NULL, chunks, result_chunk, &j);
}

size_t winograd_weight_scratch(const struct conv_last *c, int threads)
{
    const struct winograd_weight_job j = job_of(c);
    const struct winograd *const w = &j.w;
    const int64_t planes = WINOGRAD_POINTS * (w->in_plane + w->out_plane) * (w->shared ? 1 : threads);
    const int64_t sums = (j.parts > 1 ? j.parts + 1 : 1) * j.sums;

    return (size_t)(MAX_PARTS + round_up(greater(w->in_pixel, w->out_pixel), 16) + planes + sums + dy_sums_size(&j)) *
           sizeof(float);
}
