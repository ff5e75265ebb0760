/* Products of a few rows, which read a matrix once, at the speed of memory. */
#ifndef KILN_KERNELS_ISA_ROWS_H
#define KILN_KERNELS_ISA_ROWS_H

#include "kernels/isa/tile.h"

/* A column is summed in the order of r; the block of columns stays in the first-level cache. */
static inline void add_rows_loop(const float *w, int64_t w_step, const float *x, int64_t rows, int64_t columns,
                                 int64_t stride, float *y)
{
    enum { TOGETHER = 4 };

    for (int64_t r = 0; r < rows; r += TOGETHER, x += TOGETHER * stride) {
        const int64_t n = rows - r < TOGETHER ? rows - r : TOGETHER;
        vec f[TOGETHER];
        int64_t c = 0;

        for (int64_t i = 0; i < n; i++)
            f[i] = splat(w[(r + i) * w_step]);
        for (; n == TOGETHER && c + LANES <= columns; c += LANES) {
            vec s = load(y + c);

            UNROLLED
            for (int i = 0; i < TOGETHER; i++)
                s = multiply_add(f[i], load(x + i * stride + c), s);
            store(y + c, s);
        }
        for (; c < columns; c += LANES) {
            const int64_t some = columns - c < LANES ? columns - c : LANES;
            vec s = some == LANES ? load(y + c) : load_some(y + c, some);

            for (int64_t i = 0; i < n; i++)
                s = multiply_add(f[i], some == LANES ? load(x + i * stride + c) : load_some(x + i * stride + c, some),
                                 s);
            if (some == LANES)
                store(y + c, s);
            else
                store_some(y + c, s, some);
        }
    }
}

static inline void add_outer_loop(const float *a, int64_t a_step, const float *p, const float *q, int64_t rows,
                                  int64_t columns, int64_t stride, float *x)
{
    for (int64_t r = 0; r < rows; r++, x += stride) {
        const vec f = splat(a[r * a_step]), g = splat(p[r]);
        int64_t c = 0;

        for (; c + LANES <= columns; c += LANES)
            store(x + c, multiply_add(f, load(x + c), g * load(q + c)));
        if (c < columns)
            store_some(x + c, multiply_add(f, load_some(x + c, columns - c), g * load_some(q + c, columns - c)),
                       columns - c);
    }
}

/* -- dot products -- */

enum { DOT_COLUMNS = 4, DOT_ROWS = LANES / DOT_COLUMNS }; /* as many sums as a vector has lanes */

ALWAYS_INLINE void dots_of(const float *x, int64_t x_step, int rows, const float *w, int64_t w_step, int columns,
                           int64_t n, float *sums)
{
    const float *at[DOT_COLUMNS];
    vec s[LANES] = { { 0 } };

    for (int j = 0; j < DOT_COLUMNS; j++)
        at[j] = w + (j < columns ? j : 0) * w_step;
    for (int64_t i = 0; i < n; i += LANES) {
        const bool whole = n - i >= LANES;
        vec v[DOT_COLUMNS];

        UNROLLED
        for (int j = 0; j < DOT_COLUMNS; j++)
            v[j] = whole ? load(at[j] + i) : load_some(at[j] + i, n - i);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const vec q = whole ? load(x + r * x_step + i) : load_some(x + r * x_step + i, n - i);

            UNROLLED
            for (int j = 0; j < DOT_COLUMNS; j++)
                s[r * DOT_COLUMNS + j] = multiply_add(q, v[j], s[r * DOT_COLUMNS + j]);
        }
    }
    /* Neighbours are added, until lane l is the total of vector l. */
    UNROLLED
    for (int half = LANES / 2; half > 0; half /= 2)
        UNROLLED
    for (int l = 0; l < half; l++)
        s[l] = __builtin_shufflevector(s[2 * l], s[2 * l + 1], EVEN_LANES) +
               __builtin_shufflevector(s[2 * l], s[2 * l + 1], ODD_LANES);
    store(sums, s[0]);
}
static inline void dots_loop(const float *x, int64_t x_step, int rows, const float *w, int64_t w_step, int columns,
                             int64_t n, float *sums)
{
    switch (rows) {
    case 1:
        dots_of(x, x_step, 1, w, w_step, columns, n, sums);
        break;
#if LANES >= 8
    case 2:
        dots_of(x, x_step, 2, w, w_step, columns, n, sums);
        break;
#endif
#if LANES >= 16
    case 3:
        dots_of(x, x_step, 3, w, w_step, columns, n, sums);
        break;
    case 4:
        dots_of(x, x_step, 4, w, w_step, columns, n, sums);
        break;
#endif
    default:
        break;
    }
}

#endif
