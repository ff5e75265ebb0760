#include "run/machine.h"
#include "base/clock.h"
#include "kernels/gemm.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 5, ROUND_NS = 8000000, CHUNKS = 8 }; /* CHUNKS for each thread */

/* -- arithmetic -- */

enum { DEPTH = 128 }; /* of a tile: x and weights then lie in the innermost cache */

/* A tile for each thread, or, where the CPU has no kernel for tiles, a small product. */
struct arithmetic {
    const struct kernels *k;
    int vectors;
    int64_t times; /* in each chunk */
    float *memory; /* of all threads */
    int64_t step;  /* floats of one thread */
};

static int64_t tile_channels(const struct arithmetic *a)
{
    return (int64_t)a->vectors * a->k->lanes;
}

static struct tile tile_of(const struct arithmetic *a, int thread)
{
    float *memory = a->memory + thread * a->step;
    const int64_t channels = tile_channels(a), pixels = a->k->conv->tile_pixels[a->vectors];

    return (struct tile){ .rows = 1,
                          .run = DEPTH,
                          .x = memory,
                          .x_pixel = DEPTH,
                          .w = memory + pixels * DEPTH,
                          .w_step = channels,
                          .y = memory + (pixels + channels) * DEPTH,
                          .y_pixel = channels,
                          .pixels = (int)pixels,
                          .channels = (int)channels,
                          .least = -INFINITY,
                          .most = INFINITY };
}

static void run_tiles(void *context, int64_t chunk, int thread)
{
    const struct arithmetic *a = context;
    const struct tile t = tile_of(a, thread);

    (void)chunk;
    for (int64_t k = 0; k < a->times; k++)
        a->k->conv->tile(&t, a->vectors);
}

/* The best of a few rounds, each as long as ROUND_NS. */
static double best_rate(struct arithmetic *a, struct pool *pool)
{
    const int64_t chunks = (int64_t)CHUNKS * pool_threads(pool);
    const double work = 2.0 * DEPTH * (double)tile_channels(a) * a->k->conv->tile_pixels[a->vectors];
    double best = 0;
    int rounds = 0;

    a->times = 16;
    while (rounds < ROUNDS && !pool_late(pool)) {
        const uint64_t start = clock_now();
        uint64_t took;

        pool_run(pool, chunks, run_tiles, a);
        took = clock_now() - start;
        if (took < ROUND_NS / 2) { /* too short to tell */
            a->times *= 2;
            continue;
        }
        best = fmax(best, work * (double)(chunks * a->times) / (double)took * 1e9);
        rounds++;
    }
    return best;
}

/* Of all sizes of tiles the one with the most sums, which loads least. */
static int best_tile(const struct kernels *k)
{
    int best = 0, most = 0;

    for (int v = 1; k->conv->tile && v <= TILE_VECTORS; v++)
        if (v > 1 && v * k->conv->tile_pixels[v] >= most) {
            most = v * k->conv->tile_pixels[v];
            best = v;
        }
    return best;
}

static bool tile_rate(double *rate, int vectors, struct pool *pool, struct budget *b, struct report *r)
{
    struct arithmetic a = { .k = kernels_get(), .vectors = vectors };
    const int64_t pixels = a.k->conv->tile_pixels[vectors], channels = tile_channels(&a);

    a.step = (pixels * DEPTH + channels * DEPTH + pixels * channels + 31) / 16 * 16;
    a.memory = budget_zalloc(b, (size_t)(a.step * pool_threads(pool)), sizeof(float), r);
    if (!a.memory)
        return false;
    *rate = best_rate(&a, pool);
    budget_free(b, a.memory);
    return true;
}

enum { SIDE = 512 };

static bool gemm_rate(double *rate, struct pool *pool, struct budget *b, struct report *r)
{
    const struct kernels *k = kernels_get();
    struct gemm g = { .dtype = F32, .m = SIDE, .n = SIDE, .k = SIDE, .alpha = 1 };
    float *memory = budget_zalloc(b, 3 * SIDE * SIDE, sizeof *memory, r);
    void *scratch = budget_alloc(b, gemm_scratch(k, &g, pool_threads(pool)) + 1, r);

    g.a_row = g.b_row = g.c_row = SIDE;
    g.a_col = g.b_col = g.c_col = 1;
    g.a = memory;
    g.b = memory ? memory + SIDE * SIDE : NULL;
    g.c = memory ? memory + 2 * SIDE * SIDE : NULL;
    *rate = 0;
    for (int round = 0; memory && scratch && round < ROUNDS && !pool_late(pool); round++) {
        const uint64_t start = clock_now();

        gemm(k, pool, &g, scratch);
        *rate = fmax(*rate, 2.0 * SIDE * SIDE * SIDE / (double)(clock_now() - start) * 1e9);
    }
    budget_free(b, scratch);
    budget_free(b, memory);
    return memory && scratch;
}

/* -- memory -- */

enum { READ_BYTES = 128 << 20, READ_CHUNK = 1 << 20 }; /* more than caches hold */

struct reading {
    uint64_t *data;
    uint64_t *sums; /* by chunk: somebody must want them */
};

static void fill_chunk(void *context, int64_t chunk, int thread)
{
    const struct reading *d = context;

    (void)thread;
    memset((char *)d->data + chunk * READ_CHUNK, 1, READ_CHUNK);
}

static void read_chunk(void *context, int64_t chunk, int thread)
{
    const struct reading *d = context;
    const uint64_t *x = d->data + chunk * (READ_CHUNK / (int64_t)sizeof *x);
    uint64_t sum = 0;

    (void)thread;
    for (int64_t k = 0; k < READ_CHUNK / (int64_t)sizeof *x; k++)
        sum += x[k];
    d->sums[chunk] += sum;
}

static bool read_rate(double *rate, struct pool *pool, struct budget *b, struct report *r)
{
    enum { COUNT = READ_BYTES / READ_CHUNK };
    uint64_t sums[COUNT] = { 0 };
    struct reading d = { budget_alloc_pages(b, READ_BYTES, r), sums };

    *rate = 0;
    if (!d.data)
        return false;
    pool_run(pool, COUNT, fill_chunk, &d);
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t start = clock_now();

        pool_run(pool, COUNT, read_chunk, &d);
        *rate = fmax(*rate, READ_BYTES / (double)(clock_now() - start) * 1e9);
    }
    budget_free_pages(b, d.data, READ_BYTES);
    return budget_in_time(b, NULL, r) && sums[0];
}

bool machine_measure(struct machine_peak *out, struct pool *pool, struct budget *b, struct report *r)
{
    const int vectors = best_tile(kernels_get());

    return (vectors ? tile_rate(&out->flops, vectors, pool, b, r) : gemm_rate(&out->flops, pool, b, r)) &&
           budget_in_time(b, NULL, r) && read_rate(&out->bytes, pool, b, r);
}
