/* Pools whose channels lie last: vectors run over channels. */
#ifndef KILN_KERNELS_ISA_POOLS_H
#define KILN_KERNELS_ISA_POOLS_H

#include "kernels/isa/windows.h"

/* The offset of tap t in the window: rows of columns. */
static inline int64_t tap_at(const struct pool_windows *w, int64_t t)
{
    return t / w->columns * w->x_row + t % w->columns * w->x_column;
}

/* Some of the channels: all of a vector, or its first n. */
static inline vec load_channels(const float *p, int64_t n)
{
    return n < LANES ? load_some(p, n) : load(p);
}
static inline void store_channels(float *p, vec v, int64_t n)
{
    if (n < LANES)
        store_some(p, v, n);
    else
        store(p, v);
}

ALWAYS_INLINE vec join(vec a, vec b, bool sum)
{
    return sum ? a + b : larger_lanes(a, b);
}

ALWAYS_INLINE void windows_any(const struct pool_windows *w, bool sum)
{
    for (int64_t p = 0; p < w->pixels; p++)
        for (int64_t c = 0; c < w->channels; c += LANES) {
            const float *const x = w->x + p * w->x_pixel + c;
            const int64_t n = w->channels - c;
            vec all = sum ? splat(0) : load_channels(x, n);

            for (int64_t i = 0; i < w->rows; i++)
                for (int64_t j = !sum && i == 0; j < w->columns; j++)
                    all = join(all, load_channels(x + i * w->x_row + j * w->x_column, n), sum);
            store_channels(w->y + p * w->y_pixel + c, sum ? all * splat(w->factor) : all, n);
        }
}

enum { POOL_PIXELS = LANES / 2, POOL_COLUMNS = (POOL_PIXELS - 1) * 2 + 3 }; /* go together; of their windows */

/* Pixels [from, from + pixels): first each column of x by itself, which neighbouring windows share. */
ALWAYS_INLINE void windows_part(const struct pool_windows *w, int64_t from, int64_t pixels, int columns, int stride,
                                bool sum, int64_t c, int64_t n)
{
    const int64_t window = (pixels - 1) * stride + columns;
    vec column[POOL_COLUMNS] = { { 0 } };

    for (int64_t r = 0; r < w->rows; r++) {
        const float *x = w->x + from * w->x_pixel + r * w->x_row + c;

        UNROLLED
        for (int j = 0; j < (POOL_PIXELS - 1) * stride + columns; j++)
            if (j < window) {
                const vec v = load_channels(x, n);

                column[j] = r ? join(column[j], v, sum) : v;
                x += w->x_column;
            }
    }
    UNROLLED
    for (int p = 0; p < POOL_PIXELS; p++)
        if (p < pixels) {
            vec all = column[p * stride];

            UNROLLED
            for (int j = 1; j < columns; j++)
                all = join(all, column[p * stride + j], sum);
            store_channels(w->y + (from + p) * w->y_pixel + c, sum ? all * splat(w->factor) : all, n);
        }
}
ALWAYS_INLINE void windows_slide(const struct pool_windows *w, int columns, int stride, bool sum)
{
    const int64_t parts = (w->pixels + POOL_PIXELS - 1) / POOL_PIXELS;
    const int64_t least = w->pixels / parts, rest = w->pixels % parts, whole = w->channels - w->channels % LANES;

    for (int64_t part = 0, from = 0, pixels; part < parts; part++, from += pixels) {
        pixels = least + (part < rest);
        for (int64_t c = 0; c < whole; c += LANES)
            windows_part(w, from, pixels, columns, stride, sum, c, LANES);
        if (whole < w->channels)
            windows_part(w, from, pixels, columns, stride, sum, whole, w->channels - whole);
    }
}
ALWAYS_INLINE void windows_join(const struct pool_windows *w, bool sum)
{
    if (w->columns == 3 && w->x_pixel == w->x_column)
        windows_slide(w, 3, 1, sum);
    else if (w->columns == 3 && w->x_pixel == 2 * w->x_column)
        windows_slide(w, 3, 2, sum);
    else if (w->columns == 2 && w->x_pixel == 2 * w->x_column)
        windows_slide(w, 2, 2, sum);
    else
        windows_any(w, sum);
}

static inline void windows_max_loop(const struct pool_windows *w)
{
    windows_join(w, false);
}
static inline void windows_sum_loop(const struct pool_windows *w)
{
    windows_join(w, true);
}

/* The first of the largest gets g. */
static inline void windows_max_grad_loop(const struct pool_windows *w)
{
    const vec zero = { 0 };

    for (int64_t p = 0; p < w->pixels; p++)
        for (int64_t c = 0; c < w->channels; c += LANES) {
            const float *const x = w->x + p * w->x_pixel + c;
            float *const dx = w->dx + p * w->x_pixel + c;
            const int64_t n = w->channels - c;
            const vec g = load_channels(w->g + p * w->y_pixel + c, n);
            lanes_mask winner = { 0 };
            vec most = load_channels(x, n);

            for (int64_t t = 1; t < w->rows * w->columns; t++) {
                const vec v = load_channels(x + tap_at(w, t), n);
                const lanes_mask wins = beats_lanes(v, most);

                most = choose(wins, v, most);
                winner = (wins & (int32_t)t) | (~wins & winner);
            }
            for (int64_t t = 0; t < w->rows * w->columns; t++) {
                float *const to = dx + tap_at(w, t);
                const vec part = choose(winner == (int32_t)t, g, zero);

                store_channels(to, w->add ? load_channels(to, n) + part : part, n);
            }
        }
}

static inline void windows_spread_loop(const struct pool_windows *w)
{
    const vec factor = splat(w->factor);

    for (int64_t p = 0; p < w->pixels; p++)
        for (int64_t c = 0; c < w->channels; c += LANES) {
            float *const dx = w->dx + p * w->x_pixel + c;
            const int64_t n = w->channels - c;
            const vec g = factor * load_channels(w->g + p * w->y_pixel + c, n);

            for (int64_t t = 0; t < w->rows * w->columns; t++) {
                float *const to = dx + tap_at(w, t);

                store_channels(to, w->add ? load_channels(to, n) + g : g, n);
            }
        }
}

#endif
