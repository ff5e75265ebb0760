/* Depthwise convolution (kernels/tile.h): vectors over channels, a loop for each number of pixels, or of taps of a row,
 * whose sums are registers. */
#ifndef KILN_KERNELS_ISA_DEPTH_H
#define KILN_KERNELS_ISA_DEPTH_H

#include "kernels/isa/tile.h"
#include "kernels/machine.h"

ALWAYS_INLINE vec depth_load(const float *p, bool whole, int64_t n)
{
    return whole ? load(p) : load_some(p, n);
}

ALWAYS_INLINE void depth_store(float *y, const float *residual, vec v, vec least, vec most, bool whole, int64_t n)
{
    if (residual)
        v += depth_load(residual, whole, n);
    v = at_most(most, at_least(least, v));
    if (whole)
        store(y, v);
    else
        store_some(y, v, n);
}

/* Channels from c on, LANES or (not `whole`) n of them. */
ALWAYS_INLINE void depth_pixels(const struct depth_tile *t, int pixels, int64_t c, bool whole, int64_t n)
{
    const int64_t x_pixel = t->x_pixel, x_column = t->x_column, w_column = t->w_column;
    const vec first = t->bias ? depth_load(t->bias + c, whole, n) : splat(0);
    const vec least = splat(t->least), most = splat(t->most);
    vec sum[DEPTH_PIXELS];

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
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        const int64_t at = p * t->y_pixel + c;

        depth_store(t->y + at, t->residual ? t->residual + at : NULL, sum[p], least, most, whole, n);
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

/* -- rows -- */

/* Rows and pixels of y that go together, such that their sums and the weights that they meet in a row of x fit the
 * registers; and what of x their channels take, so that it is in the first cache while windows overlap. */
#if LANES == 16
#define SLIDE_ROWS(taps)           2
#define SLIDE_PIXELS(taps, stride) ((taps) == 3 && (stride) == 2 ? 4 : 8)
#else
#define SLIDE_ROWS(taps)           ((taps) == 3 ? 2 : 1)
#define SLIDE_PIXELS(taps, stride) ((taps) == 3 ? 4 : 8)
#endif
enum { SLIDE_TAPS = 7, SLIDE_BYTES = NEAREST_CACHE / 4 * 3 };

/* Some pixels of a row: which columns of their windows lie in x (a bit for each), and the first that does. */
struct depth_part {
    int64_t from, pixels;
    uint32_t inside;
    const float *x;
};

ALWAYS_INLINE struct depth_part depth_part(const struct depth_rows *t, int64_t from, int64_t pixels)
{
    struct depth_part d = { .from = from, .pixels = pixels };
    const int64_t first = t->first + from * t->stride, left = t->columns - first;
    const int64_t window = (pixels - 1) * t->stride + t->taps, end = left < window ? left : window;
    const int64_t begin = first < 0 ? -first : 0;

    if (begin < end) {
        d.inside = (1u << end) - (1u << begin);
        d.x = t->x + (first + begin) * t->x_column;
    }
    return d;
}

/* Rows [from, to) of x, which meet the first row of y, the second, or both. */
ALWAYS_INLINE void slide(const struct depth_rows *t, const struct depth_part *d, int taps, int stride, int64_t from,
                         int64_t to, bool first, bool second, int64_t c, bool whole, int64_t n,
                         vec sum[2][DEPTH_PIXELS])
{
    const int pixels = SLIDE_PIXELS(taps, stride);
    const int64_t x_column = t->x_column, w_column = t->w_column;

    for (int64_t r = from; r < to; r++) {
        const float *x = d->x + r * t->x_row + c;
        vec u[SLIDE_TAPS], v[SLIDE_TAPS];

        UNROLLED
        for (int i = 0; i < taps; i++) {
            if (first)
                u[i] = depth_load(t->w[0] + r * t->w_row + i * w_column + c, whole, n);
            if (second)
                v[i] = depth_load(t->w[1] + (r - t->rows[0]) * t->w_row + i * w_column + c, whole, n);
        }
        UNROLLED
        for (int j = 0; j < (pixels - 1) * stride + taps; j++)
            if (d->inside >> j & 1) {
                const vec a = depth_load(x, whole, n);

                x += x_column;
                UNROLLED
                for (int i = taps - 1; i >= 0; i--) {
                    const int p = (j - i) / stride;

                    if (j < i || (j - i) % stride || p >= pixels)
                        continue;
                    if (first)
                        sum[0][p] = multiply_add(a, u[i], sum[0][p]);
                    if (second)
                        sum[1][p] = multiply_add(a, v[i], sum[1][p]);
                }
            }
    }
}

ALWAYS_INLINE void slide_part(const struct depth_rows *t, const struct depth_part *d, int taps, int stride, int64_t c,
                              bool whole, int64_t n)
{
    const int pixels = SLIDE_PIXELS(taps, stride);
    const bool two = SLIDE_ROWS(taps) == 2 && t->w[1];
    const int64_t one = t->rows[0], both = one + t->rows[1], all = both + t->rows[2];
    const vec bias = t->bias ? depth_load(t->bias + c, whole, n) : splat(0);
    const vec least = splat(t->least), most = splat(t->most);
    vec sum[2][DEPTH_PIXELS];

    UNROLLED
    for (int p = 0; p < pixels; p++)
        sum[0][p] = sum[1][p] = bias;
    if (d->inside) {
        slide(t, d, taps, stride, 0, one, true, false, c, whole, n, sum);
        if (two) {
            slide(t, d, taps, stride, one, both, true, true, c, whole, n, sum);
            slide(t, d, taps, stride, both, all, false, true, c, whole, n, sum);
        }
    }
    UNROLLED
    for (int p = 0; p < pixels; p++)
        if (p < d->pixels) {
            const int64_t at = (d->from + p) * t->y_pixel + c;
            const float *const residual = t->residual ? t->residual + at : NULL;

            depth_store(t->y + at, residual, sum[0][p], least, most, whole, n);
            if (two)
                depth_store(t->y + at + t->y_row, residual ? residual + t->y_row : NULL, sum[1][p], least, most, whole,
                            n);
        }
}

/* Channels [c, end), all pixels. */
ALWAYS_INLINE void slide_channels(const struct depth_rows *t, int taps, int stride, int64_t c, int64_t end)
{
    const int64_t parts = (t->pixels + SLIDE_PIXELS(taps, stride) - 1) / SLIDE_PIXELS(taps, stride);
    const int64_t least = t->pixels / parts, rest = t->pixels % parts, whole = end - (end - c) % LANES;
    int64_t from = 0;

    for (int64_t part = 0; part < parts; part++) {
        const struct depth_part d = depth_part(t, from, least + (part < rest));

        for (int64_t i = c; i < whole; i += LANES)
            slide_part(t, &d, taps, stride, i, true, LANES);
        if (whole < end)
            slide_part(t, &d, taps, stride, whole, false, end - whole);
        from += d.pixels;
    }
}
ALWAYS_INLINE void slide_rows(const struct depth_rows *t, int taps, int stride)
{
    const int rows = taps + (SLIDE_ROWS(taps) - 1) * stride;
    const int columns = taps + (SLIDE_PIXELS(taps, stride) - 1) * stride;
    const int64_t block = SLIDE_BYTES / (int64_t)sizeof(vec) / (rows * columns) * LANES;

    for (int64_t c = 0; c < t->channels; c += block)
        slide_channels(t, taps, stride, c, t->channels - c < block ? t->channels : c + block);
}
static void slide_one_by_one(const struct depth_rows *t, void (*rows)(const struct depth_rows *t))
{
    struct depth_rows one = *t;

    one.rows[0] += one.rows[1];
    one.rows[1] = one.rows[2] = 0;
    one.w[1] = NULL;
    rows(&one);
    one.x += t->rows[0] * t->x_row;
    one.rows[0] = t->rows[1] + t->rows[2];
    one.w[0] = t->w[1];
    one.y += t->y_row;
    one.residual = t->residual ? t->residual + t->y_row : NULL;
    rows(&one);
}

#define DEPTH_ROWS(X) X(3, 1) X(5, 1) X(7, 1) X(3, 2) X(5, 2) X(7, 2)
#define SLIDE(taps, stride)                                                                                            \
    static void slide_##taps##_##stride(const struct depth_rows *t)                                                    \
    {                                                                                                                  \
        if (t->w[1] && SLIDE_ROWS(taps) == 1)                                                                          \
            slide_one_by_one(t, slide_##taps##_##stride);                                                              \
        else                                                                                                           \
            slide_rows(t, taps, stride);                                                                               \
    }
#define ENTRY(taps, stride) [taps][stride] = slide_##taps##_##stride,
DEPTH_ROWS(SLIDE)
static inline void depth_rows_loop(const struct depth_rows *t)
{
    static void (*const loops[SLIDE_TAPS + 1][3])(const struct depth_rows *) = { DEPTH_ROWS(ENTRY) };

    loops[t->taps][t->stride](t);
}
#undef DEPTH_ROWS
#undef SLIDE
#undef ENTRY

/* -- the gradient by the weights -- */

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
static inline void depth_tile_loop(const struct depth_tile *t)
{
    static void (*const tiles[DEPTH_PIXELS + 1])(const struct depth_tile *) = { TO_8(ENTRY, ) };

    tiles[t->pixels](t);
}
static inline void depth_weight_tile_loop(const struct depth_weight_tile *t)
{
    static void (*const tiles[DEPTH_TAPS + 1])(const struct depth_weight_tile *) = { TO_5(WEIGHT_ENTRY, ) };

    tiles[t->taps](t);
}
#undef ENTRY
#undef WEIGHT_ENTRY

#endif
