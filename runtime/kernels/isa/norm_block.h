/* Loops of norm_block.c and of norm.c where channels lie last: the parameters of a row of columns are vectors. Rows lie
 * `stride` apart. */
#ifndef KILN_KERNELS_ISA_NORM_BLOCK_H
#define KILN_KERNELS_ISA_NORM_BLOCK_H

#include "kernels/isa/choice.h"
#include "kernels/isa/windows.h"

/* -- sums of columns: MOMENT_ROWS rows in float, then into the doubles -- */

enum { MOMENT_ROWS = 64, GROUP = 4 };

static void add_lanes(vec from, double *to, int64_t n)
{
    float lanes[LANES];

    store(lanes, from);
    for (int64_t i = 0; i < n; i++)
        to[i] += (double)lanes[i];
}
/* `vectors` of columns, the last of which has `last` lanes: sums of x - mean and of its square. */
ALWAYS_INLINE void centred_sums(const float *x, int64_t rows, int64_t stride, const float *mean, double *sum,
                                double *squares, const int vectors, const int64_t last)
{
    vec s[GROUP] = { { 0 } }, q[GROUP] = { { 0 } }, shift[GROUP];

    for (int v = 0; v < vectors; v++)
        shift[v] = load_up_to(mean + v * LANES, v == vectors - 1 ? last : LANES);
    for (int64_t r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            const vec centred = load_up_to(x + r * stride + v * LANES, v == vectors - 1 ? last : LANES) - shift[v];

            s[v] += centred;
            q[v] += centred * centred;
        }
    for (int v = 0; v < vectors; v++) {
        add_lanes(s[v], sum + v * LANES, v == vectors - 1 ? last : LANES);
        add_lanes(q[v], squares + v * LANES, v == vectors - 1 ? last : LANES);
    }
}
static inline void moments_columns_loop(const float *x, int64_t rows, int64_t columns, int64_t stride,
                                        const float *mean, double *sum, double *squares)
{
    for (int64_t from = 0; from < rows; from += MOMENT_ROWS, x += MOMENT_ROWS * stride) {
        const int64_t count = rows - from < MOMENT_ROWS ? rows - from : MOMENT_ROWS;
        int64_t c = 0;

        for (; c + GROUP * LANES <= columns; c += GROUP * LANES)
            centred_sums(x + c, count, stride, mean + c, sum + c, squares + c, GROUP, LANES);
        for (; c + 2 * LANES <= columns; c += 2 * LANES)
            centred_sums(x + c, count, stride, mean + c, sum + c, squares + c, 2, LANES);
        for (; c + LANES <= columns; c += LANES)
            centred_sums(x + c, count, stride, mean + c, sum + c, squares + c, 1, LANES);
        if (c < columns)
            centred_sums(x + c, count, stride, mean + c, sum + c, squares + c, 1, columns - c);
    }
}
/* Sums of g and of g * (x - mean), row by row as x and g lie, in float. */
static inline void dot_rows_loop(const float *x, const float *g, int64_t rows, int64_t columns, int64_t stride,
                                 const float *mean, float *sum_g, float *sum_gx)
{
    for (int64_t r = 0; r < rows; r++, x += stride, g += stride)
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t n = columns - c < LANES ? columns - c : LANES;
            const vec with = load_up_to(g + c, n), centred = load_up_to(x + c, n) - load_up_to(mean + c, n);

            store_up_to(sum_g + c, load_up_to(sum_g + c, n) + with, n);
            store_up_to(sum_gx + c, load_up_to(sum_gx + c, n) + with * centred, n);
        }
}

/* -- each element -- */

ALWAYS_INLINE void scale_shift_part(const float *x, float *y, const float *mean, const float *scale, const float *shift,
                                    int64_t n)
{
    store_up_to(y, (load_up_to(x, n) - load_up_to(mean, n)) * load_up_to(scale, n) + load_up_to(shift, n), n);
}
static inline void scale_shift_columns_loop(const float *x, float *y, int64_t rows, int64_t columns, int64_t stride,
                                            const float *mean, const float *scale, const float *shift)
{
    for (int64_t r = 0; r < rows; r++, x += stride, y += stride) {
        int64_t c = 0;

        for (; c + LANES <= columns; c += LANES)
            scale_shift_part(x + c, y + c, mean + c, scale + c, shift + c, LANES);
        if (c < columns)
            scale_shift_part(x + c, y + c, mean + c, scale + c, shift + c, columns - c);
    }
}
ALWAYS_INLINE void norm_back_part(const float *x, const float *g, float *dx, const float *mean, const float *p,
                                  const float *q, const float *r, int64_t n)
{
    const vec on_g = load_up_to(p, n) * load_up_to(g, n);
    const vec on_x = load_up_to(q, n) * (load_up_to(x, n) - load_up_to(mean, n));

    store_up_to(dx, (on_g + on_x) + load_up_to(r, n), n);
}
static inline void norm_back_columns_loop(const float *x, const float *g, float *dx, int64_t rows, int64_t columns,
                                          int64_t stride, const float *mean, const float *p, const float *q,
                                          const float *r)
{
    for (int64_t i = 0; i < rows; i++, x += stride, g += stride, dx += stride) {
        int64_t c = 0;

        for (; c + LANES <= columns; c += LANES)
            norm_back_part(x + c, g + c, dx + c, mean + c, p + c, q + c, r + c, LANES);
        if (c < columns)
            norm_back_part(x + c, g + c, dx + c, mean + c, p + c, q + c, r + c, columns - c);
    }
}

/* -- windows of 2x2, stride 2 -- */

ALWAYS_INLINE void pool_part(const float *x, const int64_t at[4], const float *mean, const float *scale,
                             const float *shift, float *best, float *z, int64_t n, const bool normal)
{
    vec x_best = load_up_to(x, n), z_best = x_best, m = { 0 }, s = { 0 }, b = { 0 };

    if (normal) {
        m = load_up_to(mean, n);
        s = load_up_to(scale, n);
        b = load_up_to(shift, n);
        z_best = (x_best - m) * s + b;
    }
    for (int t = 1; t < 4; t++) {
        const vec v = load_up_to(x + at[t], n), w = normal ? (v - m) * s + b : v;
        const winners won = winners_of(w, z_best);

        z_best = pick(won, w, z_best);
        x_best = pick(won, v, x_best);
    }
    if (best)
        store_up_to(best, x_best, n);
    store_up_to(z, z_best, n);
}
ALWAYS_INLINE void pool_pixels(const float *x, int64_t x_row, int64_t pixels, int64_t channels, const float *mean,
                               const float *scale, const float *shift, float *best, float *z, const bool normal)
{
    const int64_t at[4] = { 0, channels, x_row, x_row + channels };

    for (int64_t p = 0; p < pixels; p++, x += 2 * channels, z += channels) {
        float *const own = best ? best + p * channels : NULL;
        int64_t c = 0;

        for (; c + LANES <= channels; c += LANES)
            pool_part(x + c, at, mean + c, scale + c, shift + c, own ? own + c : NULL, z + c, LANES, normal);
        if (c < channels)
            pool_part(x + c, at, mean + c, scale + c, shift + c, own ? own + c : NULL, z + c, channels - c, normal);
    }
}
static inline void norm_pool_loop(const float *x, int64_t x_row, int64_t pixels, int64_t channels, const float *mean,
                                  const float *scale, const float *shift, float *best, float *z)
{
    pool_pixels(x, x_row, pixels, channels, mean, scale, shift, best, z, true);
}
static inline void last_pool_loop(const float *x, int64_t x_row, int64_t pixels, int64_t channels, float *y)
{
    pool_pixels(x, x_row, pixels, channels, x, x, x, NULL, y, false);
}

ALWAYS_INLINE void pool_back_part(const float *x, const int64_t at[4], const float *best, const float *g,
                                  const float *mean, const float *p, const float *q, const float *r, float *dx,
                                  int64_t n, const bool normal)
{
    const vec x_best = load_up_to(best, n), zero = { 0 };
    vec dy = load_up_to(g, n), m = zero, on_x = zero, rest = zero;
    winners left = all_lanes();

    if (normal) {
        dy *= load_up_to(p, n);
        m = load_up_to(mean, n);
        on_x = load_up_to(q, n);
        rest = load_up_to(r, n);
    }
    for (int t = 0; t < 4; t++) {
        const vec v = load_up_to(x + at[t], n);
        const winners won = are_best(v, x_best) & left;
        const vec d = pick(won, dy, zero);

        left &= (winners)~won;
        store_up_to(dx + at[t], normal ? (d + on_x * (v - m)) + rest : d, n);
    }
}
ALWAYS_INLINE void pool_back_pixels(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                                    int64_t channels, const float *mean, const float *p, const float *q, const float *r,
                                    float *dx, const bool normal)
{
    const int64_t at[4] = { 0, channels, x_row, x_row + channels };

    for (int64_t i = 0; i < pixels; i++, x += 2 * channels, dx += 2 * channels, best += channels, g += channels) {
        int64_t c = 0;

        for (; c + LANES <= channels; c += LANES)
            pool_back_part(x + c, at, best + c, g + c, mean + c, p + c, q + c, r + c, dx + c, LANES, normal);
        if (c < channels)
            pool_back_part(x + c, at, best + c, g + c, mean + c, p + c, q + c, r + c, dx + c, channels - c, normal);
    }
}
static inline void norm_pool_back_loop(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                                       int64_t channels, const float *mean, const float *p, const float *q,
                                       const float *r, float *dx)
{
    pool_back_pixels(x, x_row, best, g, pixels, channels, mean, p, q, r, dx, true);
}
static inline void last_pool_back_loop(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                                       int64_t channels, float *dx)
{
    pool_back_pixels(x, x_row, best, g, pixels, channels, g, g, g, g, dx, false);
}

#endif
