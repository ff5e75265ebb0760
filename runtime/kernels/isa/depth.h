/* The tiles of depthwise convolution (kernels/tile.h): vectors over channels, a loop for each number of pixels, or of
 * taps of a row, whose sums are registers. */
#ifndef KILN_KERNELS_ISA_DEPTH_H
#define KILN_KERNELS_ISA_DEPTH_H

#include "kernels/isa/tile.h"

ALWAYS_INLINE vec depth_load(const float *p, bool whole, int64_t n)
{
    return whole ? load(p) : load_some(p, n);
}

/* Channels from c on, LANES or (not `whole`) n of them. */
ALWAYS_INLINE void depth_pixels(const struct depth_tile *t, int pixels, int64_t c, bool whole, int64_t n)
{
    const int64_t x_pixel = t->x_pixel, x_column = t->x_column, w_column = t->w_column;
    const vec first = t->bias ? depth_load(t->bias + c, whole, n) : splat(0);
    vec sum[DEPTH_PIXELS], least, most;

    UNROLLED
    for (int p = 0; p < pixels; p++)
        sum[p] = first;
    for (int64_t r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->x_row + c, *w = t->w + r * t->w_row + c;

        for (int64_t i = 0; i < t->columns; i++, x += x_column, w += w_column) {
            const vec v = depth_load(w, whole, n);

            UNROLLED
            for (int p = 0; p < pixels; p++)
                sum[p] = multiply_add(depth_load(x + p * x_pixel, whole, n), v, sum[p]);
        }
    }
    least = splat(t->least);
    most = splat(t->most);
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        const int64_t at = p * t->y_pixel + c;
        vec v = sum[p];

        if (t->residual)
            v += depth_load(t->residual + at, whole, n);
        v = at_most(most, at_least(least, v));
        if (whole)
            store(t->y + at, v);
        else
            store_some(t->y + at, v, n);
    }
}
ALWAYS_INLINE void depth_tile_of(const struct depth_tile *t, int pixels)
{
    int64_t c = 0;

    for (; c + LANES <= t->channels; c += LANES)
        depth_pixels(t, pixels, c, true, LANES);
    if (c < t->channels)
        depth_pixels(t, pixels, c, false, t->channels - c);
}

/* Pixels in two sums for each tap, because one would wait for its latency. */
ALWAYS_INLINE void depth_taps(const struct depth_weight_tile *t, int taps, int64_t c, bool whole, int64_t n)
{
    const int64_t x_pixel = t->x_pixel, x_column = t->x_column, g_pixel = t->g_pixel;
    vec sum[2][DEPTH_TAPS] = { { { 0 } } };

    for (int64_t r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->x_row + c, *g = t->g + r * t->g_row + c;
        int64_t p = 0;

        for (; p + 2 <= t->pixels; p += 2, x += 2 * x_pixel, g += 2 * g_pixel) {
            const vec u = depth_load(g, whole, n), v = depth_load(g + g_pixel, whole, n);

            UNROLLED
            for (int i = 0; i < taps; i++) {
                sum[0][i] = multiply_add(depth_load(x + i * x_column, whole, n), u, sum[0][i]);
                sum[1][i] = multiply_add(depth_load(x + x_pixel + i * x_column, whole, n), v, sum[1][i]);
            }
        }
        if (p < t->pixels) {
            const vec u = depth_load(g, whole, n);

            UNROLLED
            for (int i = 0; i < taps; i++)
                sum[0][i] = multiply_add(depth_load(x + i * x_column, whole, n), u, sum[0][i]);
        }
    }
    UNROLLED
    for (int i = 0; i < taps; i++) {
        float *acc = t->acc + i * t->acc_column + c;
        const vec v = depth_load(acc, whole, n) + (sum[0][i] + sum[1][i]);

        if (whole)
            store(acc, v);
        else
            store_some(acc, v, n);
    }
}
ALWAYS_INLINE void depth_weight_tile_of(const struct depth_weight_tile *t, int taps)
{
    int64_t c = 0;

    for (; c + LANES <= t->channels; c += LANES)
        depth_taps(t, taps, c, true, LANES);
    if (c < t->channels)
        depth_taps(t, taps, c, false, t->channels - c);
}

#define TILE(v, n)                                                                                                     \
    static void depth_tile_##n(const struct depth_tile *t)                                                             \
    {                                                                                                                  \
        depth_tile_of(t, n);                                                                                           \
    }
#define WEIGHT_TILE(v, n)                                                                                              \
    static void depth_weight_tile_##n(const struct depth_weight_tile *t)                                               \
    {                                                                                                                  \
        depth_weight_tile_of(t, n);                                                                                    \
    }
TO_8(TILE, )
TO_5(WEIGHT_TILE, )
#undef TILE
#undef WEIGHT_TILE

#define ENTRY(v, n)        [n] = depth_tile_##n,
#define WEIGHT_ENTRY(v, n) [n] = depth_weight_tile_##n,
static void depth_tile_loop(const struct depth_tile *t)
{
    static void (*const tiles[DEPTH_PIXELS + 1])(const struct depth_tile *) = { TO_8(ENTRY, ) };

    tiles[t->pixels](t);
}
static void depth_weight_tile_loop(const struct depth_weight_tile *t)
{
    static void (*const tiles[DEPTH_TAPS + 1])(const struct depth_weight_tile *) = { TO_5(WEIGHT_ENTRY, ) };

    tiles[t->taps](t);
}
#undef ENTRY
#undef WEIGHT_ENTRY

#endif
