/* Convolution of planes: vectors along the rows of one channel (kernels/tile.h). */
#ifndef KILN_KERNELS_ISA_PLANES_H
#define KILN_KERNELS_ISA_PLANES_H

#include "kernels/isa/tile.h"

/* Every second element: of 2 * n - 1 that are there. */
static inline void every_second(const float *x, float *y, int64_t n)
{
    int64_t i = 0, left;
    vec a, b = { 0 };

    for (; i + LANES < n; i += LANES)
        store(y + i, __builtin_shufflevector(load(x + 2 * i), load(x + 2 * i + LANES), EVEN_LANES));
    left = 2 * (n - i) - 1;
    a = load_some(x + 2 * i, left < LANES ? left : LANES);
    if (left > LANES)
        b = load_some(x + 2 * i + LANES, left - LANES);
    store_some(y + i, __builtin_shufflevector(a, b, EVEN_LANES), n - i);
}
static inline void every_one(const float *x, float *y, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES < n; i += LANES)
        store(y + i, load(x + i));
    store_some(y + i, load_some(x + i, n - i), n - i);
}
static inline void every_loop(const float *x, int64_t x_row, int64_t step, float *y, int64_t y_row, int64_t rows,
                              int64_t n)
{
    for (int64_t r = 0; n > 0 && r < rows; r++, x += x_row, y += y_row)
        if (step == 1)
            every_one(x, y, n);
        else if (step == 2)
            every_second(x, y, n);
        else
            for (int64_t i = 0; i < n; i++)
                y[i] = x[i * step];
}

/* Rows of y that are summed at once, by vectors: what is read of x is shared by them. */
#if LANES == 16
#define PLANE_ROWS(X, taps, stride)                                                                                    \
    X(1, 7, taps, stride) X(2, 7, taps, stride) X(3, 5, taps, stride) X(4, 4, taps, stride)
#else
#define PLANE_ROWS(X, taps, stride)                                                                                    \
    X(1, 6, taps, stride) X(2, 4, taps, stride) X(3, 3, taps, stride) X(4, 2, taps, stride)
#endif
#define PLANES(X)                                                                                                      \
    PLANE_ROWS(X, 0, 0)                                                                                                \
    PLANE_ROWS(X, 3, 1)                                                                                                \
    PLANE_ROWS(X, 5, 1)                                                                                                \
    PLANE_ROWS(X, 7, 1) PLANE_ROWS(X, 3, 2) PLANE_ROWS(X, 5, 2) PLANE_ROWS(X, 7, 2)
enum { PLANE_MOST = 7, PLANE_TAPS = 7 };

/* Row j of x, where the windows of some rows of y begin with row 0. */
ALWAYS_INLINE void plane_row(const struct plane_rows *t, const float *x, int64_t j, int64_t taps, int64_t stride,
                             int vectors, int rows, vec sum[PLANE_MOST][TILE_VECTORS])
{
    const int64_t columns = t->taps[1];
    const float *const w = t->w + j * columns;

    for (int64_t i = 0; i < columns; i++) {
        vec a[TILE_VECTORS];

        UNROLLED
        for (int v = 0; v < vectors; v++)
            a[v] = load(x + t->x_at[i] + v * LANES);
        UNROLLED
        for (int p = 0; p < rows; p++)
            if (j >= p * stride && j < p * stride + taps) {
                const vec b = splat(w[i - p * stride * columns]);

                UNROLLED
                for (int v = 0; v < vectors; v++)
                    sum[p][v] = multiply_add(a[v], b, sum[p][v]);
            }
    }
}

/* Rows [row, row + n) of y, n <= rows, columns from `column` on. `taps` 0: any number, and any stride. */
ALWAYS_INLINE void plane_tile(const struct plane_rows *t, int64_t row, int64_t n, int64_t column, int64_t last,
                              int vectors, int rows, int taps, int stride)
{
    const int64_t first = row * t->stride, begin = t->from > first ? t->from - first : 0;
    const int64_t reach = (n - 1) * t->stride + t->taps[0], end = t->to - first < reach ? t->to - first : reach;
    const float *const x = t->x + first * t->x_row + column;
    const vec least = splat(t->least), most = splat(t->most);
    vec sum[PLANE_MOST][TILE_VECTORS];

    UNROLLED
    for (int p = 0; p < rows; p++)
        UNROLLED
    for (int v = 0; v < vectors; v++)
        sum[p][v] = splat(t->bias);
    if (taps) {
        UNROLLED
        for (int j = 0; j < (rows - 1) * stride + taps; j++)
            if (j >= begin && j < end)
                plane_row(t, x + j * t->x_row, j, taps, stride, vectors, rows, sum);
    } else {
        for (int64_t j = begin; j < end; j++)
            plane_row(t, x + j * t->x_row, j, t->taps[0], t->stride, vectors, rows, sum);
    }
    UNROLLED
    for (int p = 0; p < rows; p++)
        if (p < n)
            UNROLLED
    for (int v = 0; v < vectors; v++)
        tile_store(t->y + (row + p) * t->y_row + column, at_most(most, at_least(least, sum[p][v])), v, vectors, last);
}

#define PLANE(v, most, taps, stride)                                                                                   \
    static void plane_##v##_##taps##_##stride(const struct plane_rows *t, int64_t column, int64_t last)                \
    {                                                                                                                  \
        const int64_t parts = (t->rows + (most)-1) / (most);                                                           \
                                                                                                                       \
        for (int64_t part = 0, row = 0, n; part < parts; part++, row += n) {                                           \
            n = t->rows / parts + (part < t->rows % parts);                                                            \
            plane_tile(t, row, n, column, last, v, most, taps, stride);                                                \
        }                                                                                                              \
    }
PLANES(PLANE)
#undef PLANE

#define ENTRY(v, most, taps, stride) [v][taps][stride] = plane_##v##_##taps##_##stride,
static inline void plane_rows_loop(const struct plane_rows *t)
{
    static void (*const loops[TILE_VECTORS + 1][PLANE_TAPS + 1][3])(const struct plane_rows *, int64_t,
                                                                    int64_t) = { PLANES(ENTRY) };
    const bool known = depth_slides(t->taps[0], t->stride);
    const int64_t all = (t->columns + LANES - 1) / LANES, parts = (all + TILE_VECTORS - 1) / TILE_VECTORS;

    for (int64_t part = 0, from = 0, vectors; part < parts; part++, from += vectors) {
        vectors = all / parts + (part < all % parts);
        loops[vectors][known ? t->taps[0] : 0][known ? t->stride : 0](
            t, from * LANES, part < parts - 1 ? LANES : t->columns - (all - 1) * LANES);
    }
}
#undef ENTRY
#undef PLANES
#undef PLANE_ROWS

#endif
