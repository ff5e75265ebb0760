#include "kernels/dense_stream.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include <math.h>

enum {
    DEPTHS = 96,      /* of a part: what a panel has of it stays in the first-level cache */
    MOST_SLICES = 16, /* of the depth, with a result of its own each */
    MOST_SUMS = CORE_CACHE / 4 / (int)sizeof(float), /* elements of C, which stays there */
    WORTH_SUMMING = 1 << 16
};

/* Slices of the depth by columns; how many slices there are follows from the shape alone. */
struct stream {
    const struct kernels *k;
    const struct gemm *g;
    const float *a, *b;
    float *c, *others; /* results: of the first slice, and of the others, [slices - 1][m][n] */
    int64_t slices, column_chunks;
    int64_t vectors, panels; /* of all columns */
};

/* Few enough that their results are little beside B. */
static int64_t slices_of(const struct gemm *g)
{
    enum { RATIO = 8 }; /* rows of B for each row of a result */
    int64_t slices = 1;

    while (slices < MOST_SLICES && 2 * slices * RATIO * g->m <= g->k)
        slices *= 2;
    return slices;
}

bool dense_stream_fits(const struct kernels *k, const struct gemm *g)
{
    enum { FEWEST_ROWS = 5, LEAST = 1 << 16 }; /* else it is dense_few's; elements of B */

    return g->dtype == F32 && k->level != CPU_BASE && !g->packed && g->alpha == 1 && g->c_col == 1 && g->b_col == 1 &&
           g->a_col == 1 && g->b_row >= g->n && g->b_row <= 2 * g->n && g->m >= FEWEST_ROWS && g->n >= k->lanes &&
           g->m * g->n <= MOST_SUMS && g->n * g->k >= LEAST && slices_of(g) > 1;
}

size_t dense_stream_scratch(const struct gemm *g)
{
    return (size_t)((slices_of(g) - 1) * g->m * g->n) * sizeof(float);
}

/* One part of the depth for some panels; `next` is where the rows of the part behind it lie. */
static void run_part(const struct stream *s, int64_t from, int64_t depth, int64_t first, int64_t last, float *y,
                     int64_t y_row, bool add, struct tile_next *next)
{
    const struct gemm *g = s->g;
    const int lanes = s->k->lanes;

    for (int64_t i = first; i < last; i++) {
        const int64_t begin = s->vectors * i / s->panels, end = s->vectors * (i + 1) / s->panels;
        const int64_t lane = begin * lanes, vectors = end - begin;
        const int64_t tiles = divide_up(g->m, s->k->conv->tile_pixels[vectors]);

        for (int64_t t = 0; t < tiles; t++) {
            const int64_t row = g->m * t / tiles, to = g->m * (t + 1) / tiles;
            struct tile tile = { .rows = 1,
                                 .run = depth,
                                 .x = s->a + row * g->a_row + from,
                                 .x_pixel = g->a_row,
                                 .w = s->b + from * g->b_row + lane,
                                 .w_step = g->b_row,
                                 .y = y + row * y_row + lane,
                                 .y_pixel = y_row,
                                 .pixels = (int)(to - row),
                                 .channels = (int)lesser(vectors * lanes, g->n - lane),
                                 .add = add,
                                 .least = -INFINITY,
                                 .most = INFINITY };

            tile_bring(&tile, next);
            s->k->conv->tile(&tile, (int)vectors);
        }
    }
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct stream *s = context;
    const struct gemm *g = s->g;
    const int64_t slice = chunk / s->column_chunks, column = chunk % s->column_chunks;
    const int64_t first = s->panels * column / s->column_chunks, last = s->panels * (column + 1) / s->column_chunks;
    const int64_t from = g->k * slice / s->slices, to = g->k * (slice + 1) / s->slices;
    const int64_t parts = divide_up(to - from, DEPTHS);
    float *const y = slice ? s->others + (slice - 1) * g->m * g->n : s->c;

    (void)thread;
    for (int64_t p = 0; p < parts; p++) {
        const int64_t at = from + (to - from) * p / parts, end = from + (to - from) * (p + 1) / parts;
        struct tile_next next = tile_next_of(s->b + end * g->b_row, s->b + lesser(end + DEPTHS, to) * g->b_row,
                                             (last - first) * (end - at));

        run_part(s, at, end - at, first, last, y, slice ? g->n : g->c_row, p > 0 || (slice == 0 && g->beta != 0),
                 &next);
    }
}

static void sum_row(void *context, int64_t row, int thread)
{
    const struct stream *s = context;
    float *const c = s->c + row * s->g->c_row;

    (void)thread;
    for (int64_t i = 0; i < s->slices - 1; i++)
        s->k->map->add(c, s->others + (i * s->g->m + row) * s->g->n, c, s->g->n);
}

void dense_stream(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *a, const float *b,
                  float *c, void *scratch)
{
    struct stream s = { .k = k, .g = g, .a = a, .b = b, .c = c, .others = scratch, .slices = slices_of(g) };
    const int64_t threads = pool_threads(pool), sums = g->m * g->n * s.slices;

    for (int64_t row = 0; row < g->m && g->beta != 0 && g->beta != 1; row++)
        k->map->mul_s(c + row * g->c_row, (float)g->beta, c + row * g->c_row, g->n);
    s.vectors = divide_up(g->n, k->lanes);
    s.panels = divide_up(s.vectors, TILE_VECTORS);
    s.column_chunks = threads <= s.slices ? 1 : lesser(s.panels, 2 * threads / s.slices);
    pool_run(pool, s.slices * s.column_chunks, run_chunk, &s);
    pool_run(sums < WORTH_SUMMING ? NULL : pool, g->m, sum_row, &s);
}
