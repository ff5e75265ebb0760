/* Loops of norm_block.c and of norm.c where channels lie last: the parameters of a row of columns are vectors. Rows lie
 * `stride` apart. */
#ifndef KILN_KERNELS_ISA_NORM_BLOCK_H
#define KILN_KERNELS_ISA_NORM_BLOCK_H

#include "kernels/isa/windows.h"

/* n is at most LANES: a whole vector, or the last lanes of a row. */
ALWAYS_INLINE vec load_up_to(const float *p, int64_t n)
{
    return n == LANES ? load(p) : load_some(p, n);
}
ALWAYS_INLINE void store_up_to(float *p, vec v, int64_t n)
{
    if (n == LANES)
        store(p, v);
    else
        store_some(p, v, n);
}

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
static void moments_columns_loop(const float *x, int64_t rows, int64_t columns, int64_t stride, const float *mean,
                                 double *sum, double *squares)
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
static void dot_rows_loop(const float *x, const float *g, int64_t rows, int64_t columns, int64_t stride,
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
static void scale_shift_columns_loop(const float *x, float *y, int64_t rows, int64_t columns, int64_t stride,
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
static void norm_back_columns_loop(const float *x, const float *g, float *dx, int64_t rows, int64_t columns,
                                   int64_t stride, const float *mean, const float *p, const float *q, const float *r)
{
    for (int64_t i = 0; i < rows; i++, x += stride, g += stride, dx += stride) {
        int64_t c = 0;

        for (; c + LANES <= columns; c += LANES)
            norm_back_part(x + c, g + c, dx + c, mean + c, p + c, q + c, r + c, LANES);
        if (c < columns)
            norm_back_part(x + c, g + c, dx + c, mean + c, p + c, q + c, r + c, columns - c);
    }
}

/* -- lanes that are chosen -- */

/* winners_of: does b win over a that came first? NaN wins over everything. are_best: is v what had won? */
#if defined(__AVX512F__) && LANES == 16
typedef __mmask16 winners;
ALWAYS_INLINE winners winners_of(vec b, vec a)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_ORD_Q), (__m512)b, (__m512)a,
                                   _CMP_NLE_UQ);
}
ALWAYS_INLINE winners are_best(vec v, vec best)
{
    return _mm512_cmp_ps_mask((__m512)v, (__m512)best, _CMP_EQ_OQ) |
           _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
}
ALWAYS_INLINE winners all_lanes(void)
{
    return 0xffff;
}
ALWAYS_INLINE winners positive(vec v)
{
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_GT_OQ);
}
/* Whatever is done with it under a mask, it is loaded as a whole: a masked load waits for its mask, which may come from
 * memory itself. */
ALWAYS_INLINE vec as_a_whole(vec v)
{
    __asm__("" : "+v"(v));
    return v;
}
ALWAYS_INLINE vec pick(winners m, vec yes, vec no)
{
    return (vec)_mm512_mask_mov_ps((__m512)no, m, (__m512)yes);
}
#else
typedef lanes_mask winners;
ALWAYS_INLINE winners winners_of(vec b, vec a)
{
    return beats_lanes(b, a);
}
ALWAYS_INLINE winners are_best(vec v, vec best)
{
    return (v == best) | (v != v);
}
ALWAYS_INLINE winners all_lanes(void)
{
    return ~(winners){ 0 };
}
ALWAYS_INLINE winners positive(vec v)
{
    return v > 0;
}
ALWAYS_INLINE vec as_a_whole(vec v)
{
    return v;
}
ALWAYS_INLINE vec pick(winners m, vec yes, vec no)
{
    return choose(m, yes, no);
}
#endif

/* -- back through an activation -- */

static inline float slope_of_y(float y) /* of sigmoid */
{
    return y * (1 - y);
}
static inline float rest_of_square(float y) /* the slope of tanh, of y */
{
    return 1 - y * y;
}

static void before_relu_loop(const float *x, const float *dy, float *to, int64_t rows, int64_t columns,
                             const float *mean, const float *scale, const float *shift, float a, float b)
{
    (void)a;
    (void)b;
    for (int64_t r = 0; r < rows; r++, x += columns, dy += columns, to += columns)
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t n = columns - c < LANES ? columns - c : LANES;
            const vec z =
                (load_up_to(x + c, n) - load_up_to(mean + c, n)) * load_up_to(scale + c, n) + load_up_to(shift + c, n);

            store_up_to(to + c, pick(positive(z), as_a_whole(load_up_to(dy + c, n)), (vec){ 0 }), n);
        }
}
#define NAME       before_leaky_relu
#define EXPRESSION (z < 0 ? a * g : g)
#include "kernels/isa/norm_before.h"
#define NAME       before_elu
#define EXPRESSION (z < 0 ? g * (a * expm1_of(z) + a) : g)
#include "kernels/isa/norm_before.h"
#define NAME       before_selu
#define EXPRESSION (z > 0 ? g * b : g * (b * (a * expm1_of(z)) + a * b))
#include "kernels/isa/norm_before.h"
#define NAME       before_sigmoid
#define EXPRESSION (g * slope_of_y(sigmoid_of(z)))
#include "kernels/isa/norm_before.h"
#define NAME       before_hard_sigmoid
#define EXPRESSION (a * z + b > 0 && a * z + b < 1 ? a * g : 0)
#include "kernels/isa/norm_before.h"
#define NAME       before_tanh
#define EXPRESSION (g * rest_of_square(tanh_of(z)))
#include "kernels/isa/norm_before.h"
#define NAME       before_softplus
#define EXPRESSION (g * sigmoid_of(z))
#include "kernels/isa/norm_before.h"
#define NAME       before_gelu
#define EXPRESSION (g * (.5f * (1 + erf_of(z * .707106781f)) + z * .398942280f * exp_of(-.5f * z * z)))
#include "kernels/isa/norm_before.h"
#define NAME       before_gelu_tanh
#define EXPRESSION (g * gelu_tanh_slope(z))
#include "kernels/isa/norm_before.h"

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
static void norm_pool_loop(const float *x, int64_t x_row, int64_t pixels, int64_t channels, const float *mean,
                           const float *scale, const float *shift, float *best, float *z)
{
    pool_pixels(x, x_row, pixels, channels, mean, scale, shift, best, z, true);
}
static void last_pool_loop(const float *x, int64_t x_row, int64_t pixels, int64_t channels, float *y)
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
static void norm_pool_back_loop(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                                int64_t channels, const float *mean, const float *p, const float *q, const float *r,
                                float *dx)
{
    pool_back_pixels(x, x_row, best, g, pixels, channels, mean, p, q, r, dx, true);
}
static void last_pool_back_loop(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                                int64_t channels, float *dx)
{
    pool_back_pixels(x, x_row, best, g, pixels, channels, g, g, g, g, dx, false);
}

#endif
