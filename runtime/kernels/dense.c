#include "kernels/dense.h"
#include "kernels/copy.h"
#include "kernels/dense_few.h"
#include "kernels/parts.h"
#include <math.h>
#include <string.h>

enum {
    MOST_LANES = GEMM_SIDE_BY_SIDE, /* of a panel */
    GROUP = 48,                     /* pixels that are transposed at once: whole tiles of every height */
    DEEPEST = 512,                  /* of a part: a panel of it stays in the second-level cache */
    SMALL = 1 << 16,                /* elements of a packed operand that is made at once, not by each chunk */
    WORTH = 500000,                 /* operations of a chunk: 3 us */
    PER_BYTE = 3,                   /* operations in the time that a byte takes */
    MOST_CHUNKS = 64
};

/* Where the elements of a panel come from. */
enum source {
    AS_IT_LIES,
    BY_CHUNK, /* packed by each chunk, part for part */
    AT_ONCE,  /* packed before the chunks */
    BEFORE    /* g.packed */
};

struct operand {
    const float *at;
    int64_t along, depth; /* strides: along lanes or pixels, and along the depth */
};

/* One product as tiles see it: lanes by pixels. `vectors` of lanes are cut into panels, the depth into parts. */
struct dense_plan {
    const struct kernels *k;
    const struct gemm *g;
    int64_t lanes, pixels, depth;
    struct operand wide, narrow; /* what gives the lanes, what gives the pixels */
    float *c;
    int64_t c_lane, c_pixel;
    float alpha, beta;
    const float *lane_bias, *pixel_bias;
    float least;
    bool turned;  /* c_lane is not 1: results go through a buffer */
    bool weights; /* weight_tile does it */
    enum source source;
    int64_t vectors, panels, parts;
    int64_t lane_chunks, pixel_chunks;
    double cost; /* in cycles, about */
    size_t at_once_bytes, thread_bytes;
    char *packed, *threads; /* memory: all panels, or one part of a panel for each thread */
};

struct panel {
    int64_t lane;
    int vectors, channels;
};

/* -- planning -- */

/* The widest tile that reads least: vectors and pixels are loaded once for all their products. */
static int best_vectors(const struct kernels *k)
{
    int best = 1;
    double least = 2;

    for (int v = 1; v <= TILE_VECTORS && v * k->lanes <= MOST_LANES; v++) {
        const double loads = 1. / v + 1. / k->conv->tile_pixels[v];

        if (k->conv->tile_pixels[v] > 1 && loads < least) {
            least = loads;
            best = v;
        }
    }
    return best;
}

/* A cache keeps few lines of columns whose rows are a power of two apart. */
static bool rows_collide(int64_t stride)
{
    return stride > 0 && stride % 512 == 0;
}

static void choose_source(struct dense_plan *p, bool packed)
{
    enum { REPAID = 512 }; /* pixels */

    p->source = AS_IT_LIES;
    if (p->wide.along != 1 || p->alpha != 1 ||
        (!p->turned && rows_collide(p->wide.depth) && p->depth > DEEPEST / 4 && p->pixels >= REPAID))
        p->source = p->turned || p->lanes * p->depth <= SMALL ? AT_ONCE : BY_CHUNK;
    if (packed && !p->turned)
        p->source = BEFORE;
}

/* What the tiles of this plan lose by how their operands lie. */
static double slowness(const struct dense_plan *p)
{
    const bool far = p->pixels * p->depth > SMALL; /* not in the cache */
    double factor = 1;

    if (p->vectors == 1) /* each product then loads nearly two operands */
        factor *= p->pixels > 12 && p->narrow.along % 1024 == 0 ? 2.5 : 1.3; /* whose cache lines collide */
    else if (p->pixels < 4)
        factor *= 4. / (double)p->pixels; /* too few sums at a time */
    if (p->narrow.depth != 1 && !p->weights)
        factor *= far ? 1.6 : 1.15;
    return factor;
}

static void reckon(struct dense_plan *p)
{
    const double each = p->wide.along == 1 ? .1 : .25; /* to pack an element */

    p->cost = slowness(p) * .5 * (double)p->vectors * (double)p->pixels * (double)p->depth;
    if (p->source == BY_CHUNK || p->source == AT_ONCE)
        p->cost += each * (double)p->lanes * (double)p->depth;
    if (p->turned)
        p->cost += .5 * (double)p->lanes * (double)p->pixels;
}

static void cut_chunks(struct dense_plan *p)
{
    const double operations = 2. * (double)p->lanes * (double)p->pixels * (double)p->depth;
    const double bytes = 4. * (double)p->depth * (double)greater(p->lanes, p->pixels);
    const double work = fmax(operations, bytes * PER_BYTE) + p->g->finish_work * (double)p->lanes * (double)p->pixels;
    const int64_t groups = divide_up(p->pixels, GROUP), each = p->source == BY_CHUNK ? 11 : 1;
    const int64_t wanted = work < 2. * WORTH                    ? 1
                           : work > (double)MOST_CHUNKS * WORTH ? MOST_CHUNKS
                                                                : (int64_t)(work / WORTH);

    p->lane_chunks = lesser(p->panels, wanted);
    p->pixel_chunks = lesser(greater(1, groups / each), divide_up(wanted, p->lane_chunks));
}

static struct dense_plan plan_of(const struct kernels *k, const struct gemm *g, bool turn)
{
    const bool columns = g->c_col != 1 && g->c_row == 1; /* C's rows are columns in memory: so are the operands' */
    const struct operand a = { NULL, g->a_row, g->a_col }, b = { NULL, g->b_col, g->b_row };
    struct dense_plan p = {
        .k = k, .g = g, .depth = g->k, .alpha = (float)g->alpha, .beta = (float)g->beta, .turned = turn
    };

    p.least = g->relu && !(turn && g->residual) ? 0 : -INFINITY;
    p.lanes = columns == turn ? g->n : g->m;
    p.pixels = columns == turn ? g->m : g->n;
    p.wide = columns == turn ? b : a;
    p.narrow = columns == turn ? a : b;
    p.c_lane = columns == turn ? g->c_col : g->c_row;
    p.c_pixel = columns == turn ? g->c_row : g->c_col;
    p.lane_bias = columns == turn ? g->column_bias : g->row_bias;
    p.pixel_bias = columns == turn ? g->row_bias : g->column_bias;
    p.vectors = divide_up(p.lanes, k->lanes);
    p.panels = divide_up(p.vectors, best_vectors(k));
    p.weights = !turn && p.narrow.along == 1 && p.narrow.depth != 1 && !p.lane_bias && !g->residual && !g->relu;
    choose_source(&p, g->packed);
    p.parts = divide_up(p.depth, DEEPEST);
    reckon(&p);
    cut_chunks(&p);
    if (p.source == AT_ONCE)
        p.at_once_bytes = aligned((size_t)(p.lanes * p.depth) * sizeof(float));
    if (p.source == BY_CHUNK)
        p.thread_bytes = (size_t)(MOST_LANES * DEEPEST) * sizeof(float);
    return p;
}

static struct dense_plan best_plan(const struct kernels *k, const struct gemm *g)
{
    const struct dense_plan straight = plan_of(k, g, false), turned = plan_of(k, g, true);

    return turned.cost < straight.cost ? turned : straight;
}

static struct panel panel_at(const struct dense_plan *p, int64_t i)
{
    const int64_t from = p->vectors * i / p->panels, to = p->vectors * (i + 1) / p->panels;

    return (struct panel){ from * p->k->lanes, (int)(to - from),
                           (int)lesser((to - from) * p->k->lanes, p->lanes - from * p->k->lanes) };
}

/* -- packing -- */

static void pack(const struct dense_plan *p, const struct panel *w, int64_t from, int64_t depth, float *to)
{
    const struct operand *o = &p->wide;
    const float *x = o->at + w->lane * o->along + from * o->depth;

    if (o->along == 1) {
        for (int64_t d = 0; d < depth; d++)
            copy_short(x + d * o->depth, to + d * w->channels, w->channels);
    } else if (o->depth == 1) {
        p->k->gemm->transpose_4((const uint32_t *)x, o->along, (uint32_t *)to, w->channels, w->channels, depth);
    } else {
        for (int64_t d = 0; d < depth; d++)
            for (int l = 0; l < w->channels; l++)
                to[d * w->channels + l] = x[l * o->along + d * o->depth];
    }
    if (p->alpha != 1)
        p->k->map->mul_s(to, p->alpha, to, depth * w->channels);
}

/* Panels follow each other; the depths of one too. */
static void pack_part(void *context, int64_t chunk, int thread)
{
    const struct dense_plan *p = context;
    const struct panel w = panel_at(p, chunk / p->parts);
    const int64_t part = chunk % p->parts, from = p->depth * part / p->parts, to = p->depth * (part + 1) / p->parts;

    (void)thread;
    pack(p, &w, from, to - from, (float *)p->packed + w.lane * p->depth + from * w.channels);
}

static void pack_all(struct dense_plan *p, struct pool *pool)
{
    pool_run(p->lanes * p->depth > 2 * SMALL ? pool : NULL, p->panels * p->parts, pack_part, p);
}

/* -- tiles -- */

struct stage { /* some depths of a panel, and where results are */
    const struct panel *panel;
    const float *w;
    int64_t w_step, from, depth;
    float *y;              /* of pixel y_first */
    const float *residual; /* beside y; NULL: none */
    int64_t y_first, y_pixel;
    bool add, last;
    struct tile_next next; /* what the tiles bring near */
};

/* The residual of what lies at c. */
static const float *residual_of(const struct dense_plan *p, const float *c)
{
    return p->g->residual ? p->g->residual + (c - (const float *)p->g->c) : NULL;
}

static void run_tiles(const struct dense_plan *p, struct stage *s, int64_t begin, int64_t end)
{
    const int vectors = s->panel->vectors;
    const bool straight = p->narrow.depth == 1;
    const int64_t tiles = divide_up(end - begin, p->k->conv->tile_pixels[vectors]);

    for (int64_t i = 0; i < tiles; i++) {
        const int64_t from = begin + (end - begin) * i / tiles, to = begin + (end - begin) * (i + 1) / tiles;
        struct tile t = { .rows = straight ? 1 : s->depth,
                          .run = straight ? s->depth : 1,
                          .x = p->narrow.at + from * p->narrow.along + s->from * p->narrow.depth,
                          .x_pixel = p->narrow.along,
                          .x_row = p->narrow.depth,
                          .w = s->w,
                          .w_step = s->w_step,
                          .y = s->y + (from - s->y_first) * s->y_pixel,
                          .y_pixel = s->y_pixel,
                          .pixels = (int)(to - from),
                          .channels = s->panel->channels,
                          .add = s->add,
                          .bias = s->last && p->lane_bias ? p->lane_bias + s->panel->lane : NULL,
                          .residual = s->last && s->residual ? s->residual + (from - s->y_first) * s->y_pixel : NULL,
                          .least = s->last ? p->least : -INFINITY,
                          .most = INFINITY };

        tile_bring(&t, &s->next);
        p->k->conv->tile(&t, vectors);
    }
}

static void run_weight_tiles(const struct dense_plan *p, struct stage *s, int64_t begin, int64_t end)
{
    const int vectors = s->panel->vectors;
    const int64_t tiles = divide_up(end - begin, p->k->conv->weight_taps[vectors]);

    for (int64_t i = 0; i < tiles; i++) {
        const int64_t from = begin + (end - begin) * i / tiles, to = begin + (end - begin) * (i + 1) / tiles;
        const struct weight_tile t = { .rows = 1,
                                       .pixels = s->depth,
                                       .x = p->narrow.at + from + s->from * p->narrow.depth,
                                       .x_pixel = p->narrow.depth,
                                       .g = s->w,
                                       .g_pixel = s->w_step,
                                       .acc = s->y + (from - s->y_first) * s->y_pixel,
                                       .acc_step = s->y_pixel,
                                       .taps = (int)(to - from),
                                       .channels = s->panel->channels,
                                       .add = s->add };

        p->k->conv->weight_tile(&t, vectors);
    }
}

/* What the sums are added to; false: to nothing. */
static bool begin_rows(const struct dense_plan *p, const struct stage *s, int64_t begin, int64_t end)
{
    const struct panel *w = s->panel;

    for (int64_t i = begin; i < end && (p->pixel_bias || p->beta != 0); i++) {
        const float *const c = p->c + i * p->c_pixel + w->lane;
        float *const row = s->y + (i - s->y_first) * s->y_pixel;

        if (p->beta == 0)
            memset(row, 0, (size_t)w->channels * sizeof *row);
        else if (p->beta != 1)
            p->k->map->mul_s(c, p->beta, row, w->channels);
        else if (c != row)
            copy_short(c, row, w->channels);
        if (p->pixel_bias)
            p->k->map->add_s(row, p->pixel_bias[i], row, w->channels);
    }
    return p->pixel_bias || p->beta != 0;
}

static bool begin_buffer(const struct dense_plan *p, const struct panel *w, int64_t begin, int64_t end, float *buffer)
{
    for (int64_t i = begin; i < end && (p->pixel_bias || p->beta != 0); i++)
        for (int l = 0; l < w->channels; l++) {
            const float *const c = p->c + (w->lane + l) * p->c_lane + i * p->c_pixel;

            buffer[(i - begin) * MOST_LANES + l] =
                (p->beta != 0 ? p->beta * *c : 0) + (p->pixel_bias ? p->pixel_bias[i] : 0);
        }
    return p->pixel_bias || p->beta != 0;
}

/* Where the part of a panel is that begins at depth s->from; `own` is memory for it, where it has to be made, unless
 * it is `made` already. */
static void find_part(const struct dense_plan *p, struct stage *s, float *own, bool made)
{
    const struct panel *w = s->panel;

    s->w_step = w->channels;
    switch (p->source) {
    case AS_IT_LIES:
        s->w_step = p->wide.depth;
        s->w = p->wide.at + w->lane + s->from * p->wide.depth;
        break;
    case BY_CHUNK:
        if (!made)
            pack(p, w, s->from, s->depth, own);
        s->w = own;
        break;
    default:
        s->w = (const float *)p->packed + w->lane * p->depth + s->from * w->channels;
    }
}

static void set_part(const struct dense_plan *p, struct stage *s, int64_t part)
{
    s->from = p->depth * part / p->parts;
    s->depth = p->depth * (part + 1) / p->parts - s->from;
    s->last = part == p->parts - 1;
}

/* `made`: as in find_part. */
static void run_parts(const struct dense_plan *p, struct stage *s, int64_t begin, int64_t end, float *own, bool made)
{
    s->add = begin_rows(p, s, begin, end);
    for (int64_t part = 0; part < p->parts; part++, s->add = true) {
        set_part(p, s, part);
        find_part(p, s, own, made);
        (p->weights ? run_weight_tiles : run_tiles)(p, s, begin, end);
    }
}

static void run_straight(const struct dense_plan *p, const struct panel *w, int64_t begin, int64_t end, float *own)
{
    struct stage s = { .panel = w, .y = p->c + w->lane, .y_pixel = p->c_pixel };

    s.residual = residual_of(p, s.y);
    run_parts(p, &s, begin, end, own, false);
}

/* Of narrow panels, which are finished side by side: rows of C may be so far apart that a cache keeps few of them. A
 * panel of several parts is too much for the cache to come back to soon. */
static void run_finished(const struct dense_plan *p, const struct panel *w, int64_t begin, int64_t end, float *own,
                         int thread)
{
    enum { MOST = 3 * GROUP };
    _Alignas(ALIGNMENT) float buffer[MOST * MOST_LANES];
    const int64_t each = p->parts > 1 ? MOST : GROUP;
    const struct gemm *g = p->g;

    for (int64_t from = begin; from < end; from += each) {
        const int64_t to = lesser(from + each, end), at = p->c - (float *)g->c + from * p->c_pixel + w->lane;
        struct stage s = { .panel = w, .y = buffer, .y_first = from, .y_pixel = w->channels };

        run_parts(p, &s, from, to, own, from > begin);
        g->finish(g->finish_context, buffer, at, to - from, w->channels, thread);
    }
}

/* What tiles cannot do whose results are turned. */
static void end_turned(const struct dense_plan *p, const struct panel *w, int64_t from, int64_t to)
{
    for (int l = 0; p->g->residual && l < w->channels; l++) {
        float *const row = p->c + (w->lane + l) * p->c_lane + from;

        p->k->map->add(row, residual_of(p, row), row, to - from);
        if (p->g->relu)
            p->k->map->relu(row, row, to - from);
    }
}

/* The rows of pixels behind these, up to `end`, if they lie side by side. */
static struct tile_next rows_behind(const struct dense_plan *p, const struct panel *w, int64_t pixels, int64_t to,
                                    int64_t end)
{
    const struct operand *const x = &p->narrow;
    const float *const at = x->at + to * x->along;

    if (x->depth != 1 || x->along < p->depth || x->along > 2 * p->depth)
        return (struct tile_next){ NULL, NULL, 0 };
    return tile_next_of(at, x->at + lesser(to + GROUP, end) * x->along,
                        divide_up(pixels, p->k->conv->tile_pixels[w->vectors]) * p->depth);
}

static void run_turned(const struct dense_plan *p, const struct panel *w, int64_t begin, int64_t end)
{
    _Alignas(ALIGNMENT) float buffer[GROUP * MOST_LANES];

    for (int64_t from = begin; from < end; from += GROUP) {
        const int64_t to = lesser(from + GROUP, end);
        struct stage s = { .panel = w, .y = buffer, .y_first = from, .y_pixel = MOST_LANES };

        s.add = begin_buffer(p, w, from, to, buffer);
        s.next = rows_behind(p, w, to - from, to, end);
        for (int64_t part = 0; part < p->parts; part++, s.add = true) {
            set_part(p, &s, part);
            find_part(p, &s, NULL, false);
            run_tiles(p, &s, from, to);
        }
        p->k->gemm->transpose_4((const uint32_t *)buffer, MOST_LANES, (uint32_t *)(p->c + w->lane * p->c_lane + from),
                                p->c_lane, to - from, w->channels);
        end_turned(p, w, from, to);
    }
}

/* Rows of C are pixels, or where it is turned lanes. */
static void finish_part(const struct dense_plan *p, int64_t lane, int64_t lanes, int64_t pixel, int64_t pixels,
                        int thread)
{
    const struct gemm *g = p->g;
    const int64_t at = p->c - (float *)g->c + lane * p->c_lane + pixel * p->c_pixel;

    if (g->finish)
        g->finish(g->finish_context, NULL, at, p->turned ? lanes : pixels, p->turned ? pixels : lanes, thread);
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct dense_plan *p = context;
    const int64_t l = chunk % p->lane_chunks, i = chunk / p->lane_chunks, groups = divide_up(p->pixels, GROUP);
    const int64_t first = p->panels * l / p->lane_chunks, last = p->panels * (l + 1) / p->lane_chunks;
    const int64_t begin = groups * i / p->pixel_chunks * GROUP,
                  end = lesser(groups * (i + 1) / p->pixel_chunks * GROUP, p->pixels);

    float *const own = p->threads ? (float *)(p->threads + (size_t)thread * p->thread_bytes) : NULL;
    const bool narrow = p->g->finish && p->lane_chunks > 1 && !p->turned && (p->source != BY_CHUNK || p->parts == 1);

    for (int64_t n = first; n < last; n++) {
        const struct panel w = panel_at(p, n);

        if (p->turned)
            run_turned(p, &w, begin, end);
        else if (narrow)
            run_finished(p, &w, begin, end, own, thread);
        else
            run_straight(p, &w, begin, end, own);
    }
    if (!narrow)
        finish_part(p, panel_at(p, first).lane, lesser(panel_at(p, last).lane, p->lanes) - panel_at(p, first).lane,
                    begin, end - begin, thread);
}

/* -- outside -- */

/* A small result of a great depth is left to who can cut the depth (gemm_driver.c), as is what BLIS knows better. */
bool dense_fits(const struct kernels *k, const struct gemm *g)
{
    const double work = 2. * (double)g->m * (double)g->n * (double)g->k;
    const bool deep = (double)g->m * (double)g->n < 8192 && work > 8e7;

    return g->dtype == F32 && g->k > 0 && (g->c_col == 1 || g->c_row == 1) &&
           ((!deep && (k->level != CPU_BASE || work < 2.5e6)) || g->m == 1 || g->n == 1);
}

/* Does reading rows once beat tiles? */
static bool is_few(const struct kernels *k, const struct gemm *g, const struct dense_plan *p)
{
    return dense_few_cost(k, g) < p->cost;
}

static size_t scratch_of(const struct kernels *k, const struct gemm *g, int threads)
{
    const struct dense_plan p = best_plan(k, g);

    return is_few(k, g, &p) ? 0 : p.at_once_bytes + (size_t)threads * p.thread_bytes;
}

/* What is added to the product may decide how it is done: enough for all that it can be. */
size_t dense_scratch(const struct kernels *k, const struct gemm *g, int threads)
{
    enum { ROWS = 1, COLUMNS = 2, ALL = 4 };
    size_t most = 0;

    for (int added = 0; added < ALL; added++) {
        struct gemm with = *g;
        size_t bytes;

        with.row_bias = added & ROWS ? g : NULL; /* anything */
        with.column_bias = added & COLUMNS ? g : NULL;
        bytes = scratch_of(k, &with, threads);
        most = bytes > most ? bytes : most;
    }
    return most;
}

void dense(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *a, const float *b, float *c,
           void *scratch)
{
    struct dense_plan p = best_plan(k, g);
    const bool columns = g->c_col != 1 && g->c_row == 1;

    if (is_few(k, g, &p)) {
        dense_few(k, pool, g, a, b, c);
        return;
    }
    p.wide.at = columns == p.turned ? b : a;
    p.narrow.at = columns == p.turned ? a : b;
    p.c = c;
    p.packed = scratch;
    p.threads = scratch ? p.packed + p.at_once_bytes : NULL;
    if (p.source == AT_ONCE)
        pack_all(&p, pool);
    if (p.source == BEFORE)
        p.packed = (char *)(uintptr_t)g->packed; /* only read from */
    pool_run(pool, p.lane_chunks * p.pixel_chunks, run_chunk, &p);
}

/* -- packed before -- */

/* Only where it saves much, and is not too much to keep beside B. */
size_t dense_packed_bytes(const struct kernels *k, const struct gemm *g)
{
    enum { MOST = 64 << 20 };
    const double bytes = (double)g->n * (double)g->k * sizeof(float);
    struct gemm packed = *g;
    struct dense_plan best, p;

    packed.packed = NULL;
    if (!dense_fits(k, g) || g->alpha != 1 || g->c_col != 1 || bytes > MOST)
        return 0;
    best = best_plan(k, &packed);
    packed.packed = g; /* anything */
    p = plan_of(k, &packed, false);
    return p.cost * 1.15 < fmin(best.cost, dense_few_cost(k, g)) ? aligned((size_t)bytes) : 0;
}

void dense_pack(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *b, void *packed)
{
    struct dense_plan p = plan_of(k, g, false);

    p.wide.at = b;
    p.packed = packed;
    pack_all(&p, pool);
}
