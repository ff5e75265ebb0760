/* Rows of depthwise convolution and of 2x2 pooling. */
#ifndef KILN_KERNELS_ISA_WINDOWS_H
#define KILN_KERNELS_ISA_WINDOWS_H

#include "kernels/isa/choice.h"
#include "kernels/isa/reduce.h"

static inline void row_axpy_loop(float w, const float *x, int64_t x_step, float *y, int64_t y_step, int64_t n)
{
    if (x_step == 1 && y_step == 1) {
        int64_t i = 0;

        for (; i + LANES <= n; i += LANES)
            store(y + i, load(y + i) + w * load(x + i));
        if (i < n)
            store_some(y + i, load_some(y + i, n - i) + w * load_some(x + i, n - i), n - i);
    } else if (x_step == 2 && y_step == 1) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] += w * x[2 * i];
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i * y_step] += w * x[i * x_step];
    }
}
static inline float row_dot_loop(const float *x, int64_t x_step, const float *y, int64_t n)
{
    float s = 0;

    if (x_step == 1)
        return dot_loop(x, y, n);
    for (int64_t i = 0; i < n; i++)
        s += x[i * x_step] * y[i];
    return s;
}

static inline bool beats(float b, float a) /* does b win over a that came first? NaN wins over everything */
{
    return (b > a) | ((b != b) & (a == a));
}
static inline float larger(float a, float b)
{
    return b > a ? b : b != b ? b : a;
}
static inline void row_max_loop(const float *x, int64_t x_step, float *y, int64_t n)
{
    if (x_step == 1) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] = larger(y[i], x[i]);
    } else if (x_step == 2) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] = larger(y[i], x[2 * i]);
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = larger(y[i], x[i * x_step]);
    }
}
/* b > a ? b : b is NaN ? b : a. */
#if defined(__AVX512F__) && LANES == 16
static inline vec larger_lanes(vec a, vec b)
{
    const __m512i nan_wins = _mm512_set1_epi32(0x11);

    return (vec)_mm512_fixupimm_ps((__m512)at_least(b, a), (__m512)b, nan_wins, 0);
}
#else
static inline vec larger_lanes(vec a, vec b)
{
    return choose(b != b, b, at_least(b, a));
}
#endif
static inline vec larger_pair(const float *x) /* of each two neighbours */
{
    const vec a = load(x), b = load(x + LANES);

    return larger_lanes(__builtin_shufflevector(a, b, EVEN_LANES), __builtin_shufflevector(a, b, ODD_LANES));
}
/* Whole vectors may go beyond a row's end where the plane goes on: what they spoil there is written later. */
static inline bool may_overrun(int64_t rows_left, int64_t columns, int64_t x_stride, int64_t c)
{
    return rows_left * columns - c >= LANES && (2 * rows_left - 1) * x_stride - 2 * c >= 2 * LANES;
}
static inline void max_pool_2x2_loop(const float *x, int64_t x_stride, float *y, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++, y += columns) {
        const float *top = x + 2 * r * x_stride, *bottom = top + x_stride;
        int64_t c = 0;

        for (; c < columns && may_overrun(rows - r, columns, x_stride, c); c += LANES)
            store(y + c, larger_lanes(larger_pair(top + 2 * c), larger_pair(bottom + 2 * c)));
        for (; c < columns; c++)
            y[c] = larger(larger(top[2 * c], top[2 * c + 1]), larger(bottom[2 * c], bottom[2 * c + 1]));
    }
}

static inline void store_zipped(float *to, vec even, vec odd)
{
    store(to, __builtin_shufflevector(even, odd, ZIP_LOW));
    store(to + LANES, __builtin_shufflevector(even, odd, ZIP_HIGH));
}
static inline void share_windows(const float *top, const float *bottom, vec g, float *dtop, float *dbottom)
{
    const vec zero = { 0 }, a = load(top), b = load(top + LANES), c = load(bottom), d = load(bottom + LANES);
    const vec p = __builtin_shufflevector(a, b, EVEN_LANES), q = __builtin_shufflevector(a, b, ODD_LANES);
    const vec s = __builtin_shufflevector(c, d, EVEN_LANES), t = __builtin_shufflevector(c, d, ODD_LANES);
    const lanes_mask right_top = beats_lanes(q, p), right_bottom = beats_lanes(t, s);
    const lanes_mask low = beats_lanes(choose(right_bottom, t, s), choose(right_top, q, p));

    store_zipped(dtop, choose(~low & ~right_top, g, zero), choose(~low & right_top, g, zero));
    store_zipped(dbottom, choose(low & ~right_bottom, g, zero), choose(low & right_bottom, g, zero));
}
static inline void share_window(const float *top, const float *bottom, float g, float *dtop, float *dbottom)
{
    const bool right_top = beats(top[1], top[0]), right_bottom = beats(bottom[1], bottom[0]);
    const bool low = beats(bottom[right_bottom], top[right_top]);

    dtop[0] = dtop[1] = dbottom[0] = dbottom[1] = 0;
    if (low)
        dbottom[right_bottom] = g;
    else
        dtop[right_top] = g;
}
static inline void max_pool_2x2_grad_loop(const float *x, int64_t x_stride, const float *dy, float *dx, int64_t rows,
                                          int64_t columns)
{
    /* the upper row's vector spoils the lower row, which comes after it: so only one vector, and no odd column */
    const bool narrow = columns < LANES && x_stride == 2 * columns;

    for (int64_t r = 0; r < rows; r++, dy += columns) {
        const float *top = x + 2 * r * x_stride, *bottom = top + x_stride;
        float *dtop = dx + 2 * r * x_stride, *dbottom = dtop + x_stride;
        int64_t c = 0;

        for (; c + LANES <= columns || (narrow && c == 0 && may_overrun(rows - r, columns, x_stride, c)); c += LANES)
            share_windows(top + 2 * c, bottom + 2 * c, load(dy + c), dtop + 2 * c, dbottom + 2 * c);
        for (; c < columns; c++)
            share_window(top + 2 * c, bottom + 2 * c, dy[c], dtop + 2 * c, dbottom + 2 * c);
    }
}

#endif
