/* Winograd's transforms (kernels/winograd.h), for LANES channels at once. A line is one dimension of a patch; a patch
 * is transformed down its columns, then along its rows. */
#ifndef KILN_KERNELS_ISA_WINOGRAD_H
#define KILN_KERNELS_ISA_WINOGRAD_H

#include "kernels/isa/lanes.h"

/* One function for each size, so that lines are registers. */
#define BY_TILE(f, w) ((w)->tile == 4 ? f(w, 4) : (w)->tile == 3 ? f(w, 3) : f(w, 2))
#define BY_TAPS(f, w) ((w)->taps == 3 ? f(w, 3) : (w)->taps == 4 ? f(w, 4) : f(w, 5))

ALWAYS_INLINE vec fused(float a, vec b, vec c)
{
    return multiply_add(splat(a), b, c);
}

/* B', of 6 elements of x. */
ALWAYS_INLINE void input_line(const vec x[6], vec out[6])
{
    const vec a = fused(-4, x[2], x[4]), b = fused(-4, x[1], x[3]), c = x[4] - x[2], d = x[3] - x[1];

    out[0] = fused(4, x[0], fused(-5, x[2], x[4]));
    out[1] = a + b;
    out[2] = a - b;
    out[3] = fused(2, d, c);
    out[4] = fused(-2, d, c);
    out[5] = fused(4, x[1], fused(-5, x[3], x[5]));
}
/* G, of n = 2 to 5 weights. */
ALWAYS_INLINE void weight_line(const vec *w, int n, vec out[6])
{
    const vec even = n > 4 ? w[0] + w[2] + w[4] : n > 2 ? w[0] + w[2] : w[0], odd = n > 3 ? w[1] + w[3] : w[1];
    const vec far = n > 4 ? fused(4, fused(4, w[4], w[2]), w[0]) : n > 2 ? fused(4, w[2], w[0]) : w[0];
    const vec c = far * (1.0f / 24), d = (n > 3 ? fused(4, w[3], w[1]) : w[1]) * (1.0f / 12);

    out[0] = w[0] * .25f;
    out[1] = (even + odd) * (-1.0f / 6);
    out[2] = (even - odd) * (-1.0f / 6);
    out[3] = c + d;
    out[4] = c - d;
    out[5] = w[n - 1];
}
/* A', of 6 sums of products, to n = 2 to 5 results. */
ALWAYS_INLINE void result_line(const vec m[6], int n, vec *out)
{
    const vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];

    out[0] = m[0] + a + c;
    out[1] = fused(2, d, b);
    if (n > 2)
        out[2] = fused(4, c, a);
    if (n > 3)
        out[3] = fused(8, d, b);
    if (n > 4)
        out[4] = fused(16, c, a);
    out[n - 1] += m[5];
}

ALWAYS_INLINE vec load_n(const float *p, int64_t n)
{
    return n == LANES ? load(p) : load_some(p, n);
}

/* A patch of size x size pixels: either inside, rows[i] + j * pixel, or with a pointer to each of them. */
struct patch {
    const float *rows[6];
    int64_t pixel;
    const float *pixels[6][6];
};
ALWAYS_INLINE const float *patch_at(const struct patch *p, bool inside, int i, int j)
{
    return inside ? p->rows[i] + j * p->pixel : p->pixels[i][j];
}
ALWAYS_INLINE void find_patch(struct patch *p, const struct winograd_patches *w, int64_t t, int size, bool inside)
{
    const int64_t column = w->column + t * w->tile;
    const float *const corner = w->x + (w->row * w->width + column) * w->channels;

    p->pixel = w->channels;
    for (int i = 0; i < size && inside; i++)
        p->rows[i] = corner + i * w->width * w->channels;
    for (int i = 0; i < size && !inside; i++)
        for (int j = 0; j < size; j++) {
            const int64_t row = w->row + i, at = column + j;
            const bool there = row >= 0 && row < w->height && at >= 0 && at < w->width;

            p->pixels[i][j] = there ? w->x + (row * w->width + at) * w->channels : w->zeros;
        }
}
ALWAYS_INLINE bool is_inside(const struct winograd_patches *w, int64_t t, int size)
{
    const int64_t column = w->column + t * w->tile;

    return w->row >= 0 && w->row + size <= w->height && column >= 0 && column + size <= w->width;
}

ALWAYS_INLINE void input_vector(const struct patch *p, bool inside, int64_t c, int64_t n, float *out, int64_t plane)
{
    vec half[6][6];

    UNROLLED
    for (int j = 0; j < 6; j++) {
        vec x[6], line[6];

        UNROLLED
        for (int i = 0; i < 6; i++)
            x[i] = load_n(patch_at(p, inside, i, j) + c, n);
        input_line(x, line);
        UNROLLED
        for (int i = 0; i < 6; i++)
            half[i][j] = line[i];
    }
    UNROLLED
    for (int i = 0; i < 6; i++) {
        vec line[6];

        input_line(half[i], line);
        UNROLLED
        for (int j = 0; j < 6; j++, out += plane)
            store(out, line[j]);
    }
}
ALWAYS_INLINE void input_patch(const struct winograd_patches *w, int64_t t, bool inside)
{
    float *const out = w->out + t * w->pixel;
    struct patch p;
    int64_t c = 0;

    find_patch(&p, w, t, 6, inside);
    for (; c + LANES <= w->channels; c += LANES)
        input_vector(&p, inside, c, LANES, out + c, w->plane);
    if (c < w->channels)
        input_vector(&p, inside, c, w->channels - c, out + c, w->plane);
}
static inline void winograd_input_loop(const struct winograd_patches *w)
{
    for (int64_t t = 0; t < w->count; t++)
        if (is_inside(w, t, 6))
            input_patch(w, t, true);
        else
            input_patch(w, t, false);
}

ALWAYS_INLINE void gradient_vector(const struct patch *p, bool inside, int tile, int64_t c, int64_t n, float *out,
                                   int64_t plane)
{
    vec half[6][WINOGRAD_TAPS];

    UNROLLED
    for (int j = 0; j < tile; j++) {
        vec g[WINOGRAD_TAPS], line[6];

        UNROLLED
        for (int i = 0; i < tile; i++)
            g[i] = load_n(patch_at(p, inside, i, j) + c, n);
        weight_line(g, tile, line);
        UNROLLED
        for (int i = 0; i < 6; i++)
            half[i][j] = line[i];
    }
    UNROLLED
    for (int i = 0; i < 6; i++) {
        vec line[6];

        weight_line(half[i], tile, line);
        UNROLLED
        for (int j = 0; j < 6; j++, out += plane)
            store(out, line[j]);
    }
}
ALWAYS_INLINE void gradient_patch(const struct winograd_patches *w, int64_t t, int tile, bool inside)
{
    float *const out = w->out + t * w->pixel;
    struct patch p;
    int64_t c = 0;

    find_patch(&p, w, t, tile, inside);
    for (; c + LANES <= w->channels; c += LANES)
        gradient_vector(&p, inside, tile, c, LANES, out + c, w->plane);
    if (c < w->channels)
        gradient_vector(&p, inside, tile, c, w->channels - c, out + c, w->plane);
}
ALWAYS_INLINE void gradient_patches(const struct winograd_patches *w, int tile)
{
    for (int64_t t = 0; t < w->count; t++)
        if (is_inside(w, t, tile))
            gradient_patch(w, t, tile, true);
        else
            gradient_patch(w, t, tile, false);
}
static inline void winograd_gradient_loop(const struct winograd_patches *w)
{
    BY_TILE(gradient_patches, w);
}

/* Copied, so that the others may stay in registers. */
ALWAYS_INLINE void result_again(const struct winograd_results *w, int64_t t, int tile, int64_t c, int64_t n,
                                vec out[WINOGRAD_TAPS][WINOGRAD_TAPS])
{
    float sums[(WINOGRAD_EDGE - 2) * (WINOGRAD_EDGE - 2) * LANES];

    for (int i = 0; i < tile; i++)
        for (int j = 0; j < tile; j++)
            store(sums + (i * tile + j) * LANES, out[i][j]);
    w->again(w, t, c, n, sums);
}

/* rows x columns of tile x tile pixels, n channels from c on. */
ALWAYS_INLINE void result_vector(const struct winograd_results *w, int64_t t, int tile, int rows, int columns,
                                 int64_t c, int64_t n)
{
    const float *in = w->in + t * w->pixel + c;
    const vec bias = w->bias ? load_n(w->bias + c, n) : splat(0), least = splat(w->least), most = splat(w->most);
    const int64_t first = (w->row * w->width + w->column + t * tile) * w->y_pixel + c;
    vec half[WINOGRAD_TAPS][6], out[WINOGRAD_TAPS][WINOGRAD_TAPS], squares = splat(0);

    UNROLLED
    for (int j = 0; j < 6; j++) {
        vec m[6], line[WINOGRAD_TAPS];

        UNROLLED
        for (int i = 0; i < 6; i++)
            m[i] = load(in + (6 * i + j) * w->plane);
        result_line(m, tile, line);
        UNROLLED
        for (int i = 0; i < tile; i++)
            half[i][j] = line[i];
    }
    UNROLLED
    for (int i = 0; i < tile; i++) {
        result_line(half[i], tile, out[i]);
        UNROLLED
        for (int j = 0; j < tile; j++)
            squares = multiply_add(out[i][j], out[i][j], squares);
    }
    if (__builtin_expect(!all_below(squares, WINOGRAD_HUGE), false)) {
        result_again(w, t, tile, c, n, out);
        return;
    }
    UNROLLED
    for (int i = 0; i < tile; i++) {
        int64_t at = first + i * w->width * w->y_pixel;

        if (i >= rows)
            break;
        UNROLLED
        for (int j = 0; j < tile; j++, at += w->y_pixel) {
            vec v = out[i][j] + bias;

            if (j >= columns)
                break;
            if (w->residual)
                v += load_n(w->residual + at, n);
            v = at_most(most, at_least(least, v));
            if (n == LANES)
                store(w->y + at, v);
            else
                store_some(w->y + at, v, n);
        }
    }
}
ALWAYS_INLINE void result_patch(const struct winograd_results *w, int64_t t, int tile, int rows, int columns)
{
    int64_t c = 0;

    for (; c + LANES <= w->channels; c += LANES)
        result_vector(w, t, tile, rows, columns, c, LANES);
    if (c < w->channels)
        result_vector(w, t, tile, rows, columns, c, w->channels - c);
}
ALWAYS_INLINE void result_patches(const struct winograd_results *w, int tile)
{
    const int64_t rows = w->height - w->row;

    for (int64_t t = 0; t < w->count; t++) {
        const int64_t columns = w->width - w->column - t * tile;

        if (rows >= tile && columns >= tile)
            result_patch(w, t, tile, tile, tile);
        else
            result_patch(w, t, tile, rows < tile ? (int)rows : tile, columns < tile ? (int)columns : tile);
    }
}
static inline void winograd_results_loop(const struct winograd_results *w)
{
    BY_TILE(result_patches, w);
}

ALWAYS_INLINE void weights_of(const struct winograd_weights *w, int taps)
{
    const int last = taps * taps - 1;

    for (int64_t d = 0; d < w->count; d++) {
        const float *const from = w->w + d * taps * taps * LANES;
        float *u = w->u + d * w->step;
        vec half[6][WINOGRAD_TAPS];

        UNROLLED
        for (int j = 0; j < taps; j++) {
            vec x[WINOGRAD_TAPS], line[6];

            UNROLLED
            for (int i = 0; i < taps; i++)
                x[i] = load(from + (w->flip ? last - (taps * i + j) : taps * i + j) * LANES);
            weight_line(x, taps, line);
            UNROLLED
            for (int i = 0; i < 6; i++)
                half[i][j] = line[i];
        }
        UNROLLED
        for (int i = 0; i < 6; i++) {
            vec line[6];

            weight_line(half[i], taps, line);
            UNROLLED
            for (int j = 0; j < 6; j++, u += w->plane)
                store(u, line[j]);
        }
    }
}
static inline void winograd_weights_loop(const struct winograd_weights *w)
{
    BY_TAPS(weights_of, w);
}

ALWAYS_INLINE void weight_gradients_of(const struct winograd_weight_gradient *w, int taps)
{
    for (int64_t d = 0; d < w->count; d++) {
        const float *const u = w->u + d * w->step;
        float *const to = w->dw + d * taps * taps * LANES;
        vec half[WINOGRAD_TAPS][6];

        UNROLLED
        for (int j = 0; j < 6; j++) {
            vec m[6], line[WINOGRAD_TAPS];

            UNROLLED
            for (int i = 0; i < 6; i++)
                m[i] = load(u + (6 * i + j) * w->plane);
            result_line(m, taps, line);
            UNROLLED
            for (int i = 0; i < taps; i++)
                half[i][j] = line[i];
        }
        UNROLLED
        for (int i = 0; i < taps; i++) {
            vec line[WINOGRAD_TAPS];

            result_line(half[i], taps, line);
            UNROLLED
            for (int j = 0; j < taps; j++)
                store(to + (taps * i + j) * LANES, line[j]);
        }
    }
}
static inline void winograd_weight_gradient_loop(const struct winograd_weight_gradient *w)
{
    BY_TAPS(weight_gradients_of, w);
}

#undef BY_TILE
#undef BY_TAPS

#endif
