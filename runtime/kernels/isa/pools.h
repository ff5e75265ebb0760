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

static void windows_max_loop(const struct pool_windows *w)
{
    for (int64_t p = 0; p < w->pixels; p++)
        for (int64_t c = 0; c < w->channels; c += LANES) {
            const float *const x = w->x + p * w->x_pixel + c;
            const int64_t n = w->channels - c;
            vec most = load_channels(x, n);

            for (int64_t i = 0; i < w->rows; i++)
                for (int64_t j = i == 0; j < w->columns; j++)
                    most = larger_lanes(most, load_channels(x + i * w->x_row + j * w->x_column, n));
            store_channels(w->y + p * w->y_pixel + c, most, n);
        }
}

static void windows_sum_loop(const struct pool_windows *w)
{
    const vec factor = splat(w->factor);

    for (int64_t p = 0; p < w->pixels; p++)
        for (int64_t c = 0; c < w->channels; c += LANES) {
            const float *const x = w->x + p * w->x_pixel + c;
            const int64_t n = w->channels - c;
            vec sum = { 0 };

            for (int64_t i = 0; i < w->rows; i++)
                for (int64_t j = 0; j < w->columns; j++)
                    sum += load_channels(x + i * w->x_row + j * w->x_column, n);
            store_channels(w->y + p * w->y_pixel + c, sum * factor, n);
        }
}

/* The first of the largest gets g. */
static void windows_max_grad_loop(const struct pool_windows *w)
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

static void windows_spread_loop(const struct pool_windows *w)
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
