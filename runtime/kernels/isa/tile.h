/* The tiles of kernels/tile.h: one loop for both, a function for each number of vectors and pixels (or taps), so that
 * the sums are registers. The compiler unrolls what runs over them; memory is only read. */
#ifndef KILN_KERNELS_ISA_TILE_H
#define KILN_KERNELS_ISA_TILE_H

#include "kernels/isa/lanes.h"

/* As many sums as leave registers for the vectors of w and for one element of x. One vector wants more sums than that
 * fills latency with, because each then loads two operands. */
#if LANES == 16
#define MOST_1 24
#define MOST_2 12
#define MOST_3 8
#define MOST_4 6
#else
#define MOST_1 12
#define MOST_2 6
#define MOST_3 4
#define MOST_4 3
#endif

/* What both tiles sum: over rows and steps of a[row * a_row + step * a_step + lane * a_lane] * b[row * b_row + step *
 * b_step + c]. */
struct tile_product {
    int64_t rows, steps;
    const float *a;
    const int64_t *row_at, *b_at; /* NULL: row * a_row, row * b_row */
    int64_t a_row, a_step, a_lane;
    const float *b;
    int64_t b_row, b_step;
    int64_t last; /* lanes of the last vector, 1 to LANES */
    const char *soon;
    int64_t soon_step;
};

/* Keeps the compiler from seeing how a value came about: it would keep an address for each pixel, more than there are
 * registers. */
#define OPAQUE(value) __asm__("" : "+r"(value))

/* `adjacent`: a_lane is 1. `whole`: the last vector of b may be read as a whole; with AVX-512 a load under a mask costs
 * nothing. */
ALWAYS_INLINE void tile_sum(const struct tile_product *t, int vectors, int pixels, bool adjacent, bool whole,
                            vec sum[TILE_PIXELS][TILE_VECTORS])
{
    const int64_t a_step = t->a_step, b_step = t->b_step, last = t->last;
    const int64_t soon_step = t->soon ? t->soon_step : 0;
    const int64_t soon_second = soon_step > TILE_SOON / 2 ? TILE_SOON / 2 : 0;
    const char *soon = t->soon ? t->soon : (const char *)t->b;
    int64_t a_lane = adjacent ? 1 : t->a_lane, a_lane_3 = 3 * a_lane;

    if (!adjacent)
        OPAQUE(a_lane_3);
    for (int64_t r = 0; r < t->rows; r++) {
        const float *a[(TILE_PIXELS + 3) / 4], *b = t->b + (t->b_at ? t->b_at[r] : r * t->b_row);

        a[0] = t->a + (t->row_at ? t->row_at[r] : r * t->a_row);
        UNROLLED
        for (int i = 1; 4 * i < pixels; i++) {
            a[i] = a[i - 1] + 4 * a_lane;
            if (!adjacent)
                OPAQUE(a[i]);
        }
        for (int64_t s = 0; s < t->steps; s++) {
            vec w[TILE_VECTORS];

            UNROLLED
            for (int v = 0; v < vectors; v++)
                w[v] = v < vectors - 1 || whole ? load(b + v * LANES) : load_some(b + v * LANES, last);
            UNROLLED
            for (int p = 0; p < pixels; p++) {
                const vec x = splat(a[p / 4][p % 4 == 3 ? a_lane_3 : p % 4 * a_lane]);

                UNROLLED
                for (int v = 0; v < vectors; v++)
                    sum[p][v] = multiply_add(x, w[v], sum[p][v]);
            }
            UNROLLED
            for (int i = 0; 4 * i < pixels; i++)
                a[i] += a_step;
            b += b_step;
            __builtin_prefetch(soon, 0, 2); /* often the same line as before */
            __builtin_prefetch(soon + soon_second, 0, 2);
            soon += soon_step;
        }
    }
}
ALWAYS_INLINE void tile_sum_any(const struct tile_product *t, int vectors, int pixels, bool adjacent, bool padded,
                                vec sum[TILE_PIXELS][TILE_VECTORS])
{
#if LANES < 16
    if (padded || t->last == LANES) {
        tile_sum(t, vectors, pixels, adjacent, true, sum);
        return;
    }
#endif
    (void)padded;
    tile_sum(t, vectors, pixels, adjacent, false, sum);
}

/* The last vector of a pixel may have fewer lanes. */
ALWAYS_INLINE vec tile_load(const float *p, int v, int vectors, int64_t last)
{
    return v < vectors - 1 || last == LANES ? load(p + v * LANES) : load_some(p + v * LANES, last);
}
ALWAYS_INLINE void tile_store(float *p, vec value, int v, int vectors, int64_t last)
{
    if (v < vectors - 1 || last == LANES)
        store(p + v * LANES, value);
    else
        store_some(p + v * LANES, value, last);
}

ALWAYS_INLINE void tile_of(const struct tile *t, int vectors, int pixels)
{
    const int64_t last = t->channels - (vectors - 1) * LANES, y_pixel = t->y_pixel, *at = t->at;
    const float *const residual = t->residual; /* what is stored could be *t, for all that the compiler knows */
    const bool add = t->add;
    float *const y = t->y;
    const struct tile_product product = {
        .rows = t->rows,
        .steps = t->run,
        .a = t->x,
        .row_at = t->row_at,
        .b_at = t->w_at,
        .a_row = t->x_row,
        .a_step = 1,
        .a_lane = t->x_pixel,
        .b = t->w,
        .b_row = t->run * t->w_step,
        .b_step = t->w_step,
        .last = last,
        .soon = t->soon,
        .soon_step = t->soon_step,
    };
    vec least, most, sum[TILE_PIXELS][TILE_VECTORS];

    UNROLLED
    for (int v = 0; v < vectors; v++) {
        const vec first = t->bias ? tile_load(t->bias, v, vectors, last) : splat(0);

        UNROLLED
        for (int p = 0; p < pixels; p++)
            sum[p][v] = first;
    }
    if (t->pixel_bias) {
        UNROLLED
        for (int p = 0; p < pixels; p++)
            UNROLLED
        for (int v = 0; v < vectors; v++)
            sum[p][v] = splat(t->pixel_bias[p]);
    }
    tile_sum_any(&product, vectors, pixels, false, t->w_padded, sum);
    least = splat(t->least);
    most = splat(t->most);
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        const int64_t offset = at ? at[p] : p * y_pixel;

        if (offset >= 0) {
            UNROLLED
            for (int v = 0; v < vectors; v++) {
                vec s = sum[p][v];

                if (add)
                    s += tile_load(y + offset, v, vectors, last);
                if (residual)
                    s += tile_load(residual + offset, v, vectors, last);
                tile_store(y + offset, at_most(most, at_least(least, s)), v, vectors, last);
            }
        }
    }
}

ALWAYS_INLINE void weight_tile_of(const struct weight_tile *t, int vectors, int taps)
{
    const int64_t last = t->channels - (vectors - 1) * LANES;
    const struct tile_product product = {
        .rows = t->rows,
        .steps = t->pixels,
        .a = t->x,
        .a_row = t->x_row,
        .a_step = t->x_pixel,
        .a_lane = 1,
        .b = t->g,
        .b_row = t->g_row,
        .b_step = t->g_pixel,
        .last = last,
    };
    const int64_t acc_step = t->acc_step;
    float *const acc = t->acc;
    vec sum[TILE_PIXELS][TILE_VECTORS];

    if (!t->add) /* what will be written is brought near until there is something to write */
        for (int j = 0; j < taps; j++)
            for (int v = 0; v < vectors; v++)
                __builtin_prefetch(acc + j * acc_step + v * LANES, 1);
    UNROLLED
    for (int j = 0; j < taps; j++)
        UNROLLED
    for (int v = 0; v < vectors; v++)
        sum[j][v] = t->add ? tile_load(acc + j * acc_step, v, vectors, last) : splat(0);
    tile_sum_any(&product, vectors, taps, true, false, sum);
    UNROLLED
    for (int j = 0; j < taps; j++)
        UNROLLED
    for (int v = 0; v < vectors; v++)
        tile_store(acc + j * acc_step, sum[j][v], v, vectors, last);
}

/* X(vectors, pixels) for all pixels up to a number, and for all that there are */
#define TO_3(X, v)  X(v, 1) X(v, 2) X(v, 3)
#define TO_4(X, v)  TO_3(X, v) X(v, 4)
#define TO_5(X, v)  TO_4(X, v) X(v, 5)
#define TO_6(X, v)  TO_5(X, v) X(v, 6)
#define TO_8(X, v)  TO_6(X, v) X(v, 7) X(v, 8)
#define TO_12(X, v) TO_8(X, v) X(v, 9) X(v, 10) X(v, 11) X(v, 12)
#define TO_18(X, v) TO_12(X, v) X(v, 13) X(v, 14) X(v, 15) X(v, 16) X(v, 17) X(v, 18)
#define TO_24(X, v) TO_18(X, v) X(v, 19) X(v, 20) X(v, 21) X(v, 22) X(v, 23) X(v, 24)
#define TO_(n)      TO_##n
#define TO(n)       TO_(n)
#define TILES(X)    TO(MOST_1)(X, 1) TO(MOST_2)(X, 2) TO(MOST_3)(X, 3) TO(MOST_4)(X, 4)

#define TILE(v, n)                                                                                                     \
    static void tile_##v##_##n(const struct tile *t)                                                                   \
    {                                                                                                                  \
        tile_of(t, v, n);                                                                                              \
    }                                                                                                                  \
    static void weight_tile_##v##_##n(const struct weight_tile *t)                                                     \
    {                                                                                                                  \
        weight_tile_of(t, v, n);                                                                                       \
    }
TILES(TILE)
#undef TILE

#define ENTRY(v, n)        [v][n] = tile_##v##_##n,
#define WEIGHT_ENTRY(v, n) [v][n] = weight_tile_##v##_##n,
static inline void tile_loop(const struct tile *t, int vectors)
{
    static void (*const tiles[TILE_VECTORS + 1][MOST_1 + 1])(const struct tile *) = { TILES(ENTRY) };

    tiles[vectors][t->pixels](t);
}
static inline void weight_tile_loop(const struct weight_tile *t, int vectors)
{
    static void (*const tiles[TILE_VECTORS + 1][MOST_1 + 1])(const struct weight_tile *) = { TILES(WEIGHT_ENTRY) };

    tiles[vectors][t->taps](t);
}
#undef ENTRY
#undef WEIGHT_ENTRY

/* by vectors, for the table */
#define TILE_SIZES                                                                                                     \
    {                                                                                                                  \
        0, MOST_1, MOST_2, MOST_3, MOST_4                                                                              \
    }

#endif
