/* Reductions, and what is made of them: softmax. */
#ifndef KILN_KERNELS_ISA_REDUCE_H
#define KILN_KERNELS_ISA_REDUCE_H

#include "kernels/isa/elementwise.h"

#define NAME       sum_block
#define EXPRESSION p
#include "kernels/isa/reduction.h"
#define NAME       sum_squares_block
#define EXPRESSION (p * p)
#include "kernels/isa/reduction.h"
#define NAME       dot_block
#define EXPRESSION (p * q)
#include "kernels/isa/reduction.h"

/* Sums of blocks are added as a binary counter counts: level k holds the sum of 2^k blocks. */
static float sum_in_pairs(float (*block)(const float *, const float *, int64_t), const float *p, const float *q,
                          int64_t n)
{
    enum { BLOCK = 2048 };
    float levels[64];
    uint64_t blocks = 0;
    float s = 0;
    bool first = true;

    if (n <= BLOCK)
        return block(p, q, n);
    for (int64_t i = 0; i < n; i += BLOCK, blocks++) {
        float part = block(p + i, q + i, n - i < BLOCK ? n - i : BLOCK);
        int level = 0;

        for (; blocks >> level & 1; level++)
            part = levels[level] + part;
        levels[level] = part;
    }
    for (int level = 0; level < 64; level++)
        if (blocks >> level & 1) {
            s = first ? levels[level] : levels[level] + s;
            first = false;
        }
    return s;
}
static inline float sum_loop(const float *x, int64_t n)
{
    return sum_in_pairs(sum_block_loop, x, x, n);
}
static inline float sum_squares_loop(const float *x, int64_t n)
{
    return sum_in_pairs(sum_squares_block_loop, x, x, n);
}
static inline float dot_loop(const float *p, const float *q, int64_t n)
{
    return sum_in_pairs(dot_block_loop, p, q, n);
}

static float extreme(const float *x, int64_t n, float sign) /* of sign * x */
{
    const vec lowest = splat(-INFINITY);
    vec best[2] = { lowest, lowest };
    lanes_mask nan = { 0 };
    float lanes[LANES], result = -INFINITY;
    int32_t nans[LANES];
    int64_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int k = 0; k < 2; k++) {
            const vec v = sign * load(x + i + k * LANES);

            nan |= v != v;
            best[k] = choose(v > best[k], v, best[k]);
        }
    store(lanes, choose(best[0] > best[1], best[0], best[1]));
    memcpy(nans, &nan, sizeof nan);
    for (int l = 0; l < LANES; l++) {
        if (nans[l])
            return NAN;
        result = lanes[l] > result ? lanes[l] : result;
    }
    for (; i < n; i++) {
        const float v = sign * x[i];

        if (v != v)
            return NAN;
        result = v > result ? v : result;
    }
    return sign * result;
}
static inline float max_of_loop(const float *x, int64_t n)
{
    return extreme(x, n, 1);
}
static inline float min_of_loop(const float *x, int64_t n)
{
    return extreme(x, n, -1);
}

/* Rows in blocks of 32, whose sums stay in a register. */
static inline void sum_rows_loop(const float *x, int64_t rows, int64_t columns, int64_t stride, float *y)
{
    for (int64_t r = 0; r < rows; r += 32) {
        const int64_t end = rows - r < 32 ? rows : r + 32;
        int64_t c = 0;

        for (; c + LANES <= columns; c += LANES) {
            vec s = load(x + r * stride + c);

            for (int64_t i = r + 1; i < end; i++)
                s += load(x + i * stride + c);
            store(y + c, load(y + c) + s);
        }
        for (; c < columns; c++) {
            float s = x[r * stride + c];

            for (int64_t i = r + 1; i < end; i++)
                s += x[i * stride + c];
            y[c] += s;
        }
    }
}
/* y[c] = sum over r of w[r * w_step] * x[r * stride + c], in the order of r. */
static inline void combine_rows_loop(const float *w, int64_t w_step, const float *x, int64_t rows, int64_t columns,
                                     int64_t stride, float *y)
{
    int64_t c = 0;

    for (; c + 4 * LANES <= columns; c += 4 * LANES) {
        vec s[4] = { { 0 } };

        for (int64_t r = 0; r < rows; r++)
            for (int k = 0; k < 4; k++)
                s[k] += w[r * w_step] * load(x + r * stride + c + k * LANES);
        for (int k = 0; k < 4; k++)
            store(y + c + k * LANES, s[k]);
    }
    for (; c < columns; c++) {
        float s = 0;

        for (int64_t r = 0; r < rows; r++)
            s += w[r * w_step] * x[r * stride + c];
        y[c] = s;
    }
}

/* -- softmax -- */

static inline void div_s_loop(const float *p, float q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] / q;
}
static inline void softmax_loop(const float *x, float *y, int64_t n)
{
    const float top = max_of_loop(x, n);

    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = exp_of(x[i] - top);
    div_s_loop(y, sum_loop(y, n), y, n);
}
static inline void log_softmax_loop(const float *x, float *y, int64_t n)
{
    enum { BLOCK = 1024 };
    const float top = max_of_loop(x, n);
    float part[BLOCK], sum = 0, shift;

    for (int64_t from = 0; from < n; from += BLOCK) {
        const int64_t count = n - from < BLOCK ? n - from : BLOCK;

        for (int64_t i = 0; i < count; i++)
            part[i] = exp_of(x[from + i] - top);
        sum += sum_loop(part, count);
    }
    shift = logf(sum);
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - top) - shift;
}
static inline void softmax_grad_loop(const float *y, const float *dy, float *dx, int64_t n)
{
    const float s = dot_loop(y, dy, n);

    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - s);
}
static inline void log_softmax_grad_loop(const float *y, const float *dy, float *dx, int64_t n)
{
    const float s = sum_loop(dy, n);

    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] - exp_of(y[i]) * s;
}
static inline float exps_loop(float *x, int64_t n, float top)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        x[i] = exp_of(x[i] - top);
    return sum_loop(x, n);
}
static inline void capped_loop(float *x, int64_t n, float cap)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        x[i] = cap * tanh_of(x[i] / cap);
}
static inline void biased_loop(float *x, const float *bias, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        x[i] = bias[i] == -INFINITY ? -INFINITY : x[i] + bias[i];
}
static inline void masked_loop(float *x, const uint8_t *mask, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        x[i] = mask[i] ? x[i] : -INFINITY;
}

#endif
