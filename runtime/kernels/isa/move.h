/* Moving elements: panels of GEMM, runs of implicit GEMM, transposition. Plain C; the instruction-set files have their
 * own where it pays. */
#ifndef KILN_KERNELS_ISA_MOVE_H
#define KILN_KERNELS_ISA_MOVE_H

#include "kernels/isa/lanes.h"

static inline void pack_8_loop(const double *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                               int64_t depth, double *panel)
{
    for (int64_t d = 0; d < depth; d++, panel += width) {
        const double *from = x + d * depth_stride;

        for (int64_t l = 0; l < count; l++)
            panel[l] = from[l * lane_stride];
        for (int64_t l = count; l < width; l++)
            panel[l] = 0;
    }
}
static inline void pack_4_any(const float *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                              int64_t depth, float *panel)
{
    for (int64_t d = 0; d < depth; d++, panel += width) {
        const float *from = x + d * depth_stride;

        for (int64_t l = 0; l < count; l++)
            panel[l] = from[l * lane_stride];
        for (int64_t l = count; l < width; l++)
            panel[l] = 0;
    }
}
#define ELEMENT    float
#define SUM        float
#define READ(e)    (e)
#define WRITE(v)   (v)
#define PACK_RUNS  pack_runs_4_any
#define PACK_LANES pack_lanes_4_any
#define STORE_RUNS store_runs_4_any
#include "kernels/runs.h"

static inline void transpose_4_any(const uint32_t *x, int64_t x_stride, uint32_t *y, int64_t y_stride, int64_t rows,
                                   int64_t columns)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            y[c * y_stride + r] = x[r * x_stride + c];
}
/* Three planes become pixels of three: pictures come so. Element e of what comes out is element e / 3 of plane e % 3;
 * it takes two steps, the first of which joins the first two planes. Gives how many columns it did: a multiple of
 * LANES. */
#define JOIN_AT(out, l)  (((out)*LANES + (l)) % 3 == 1 ? LANES + ((out)*LANES + (l)) / 3 : ((out)*LANES + (l)) / 3)
#define LAST_AT(out, l)  (((out)*LANES + (l)) % 3 == 2 ? LANES + ((out)*LANES + (l)) / 3 : (l))
#define FOUR(at, out, l) at(out, l), at(out, (l) + 1), at(out, (l) + 2), at(out, (l) + 3)
#if LANES == 4
#define ALL(at, out) FOUR(at, out, 0)
#elif LANES == 8
#define ALL(at, out) FOUR(at, out, 0), FOUR(at, out, 4)
#else
#define ALL(at, out) FOUR(at, out, 0), FOUR(at, out, 4), FOUR(at, out, 8), FOUR(at, out, 12)
#endif
#define JOIN(out)                                                                                                      \
    store(to + (out)*LANES,                                                                                            \
          __builtin_shufflevector(__builtin_shufflevector(a, b, ALL(JOIN_AT, out)), c, ALL(LAST_AT, out)))
static inline int64_t interleave_3(const float *x, int64_t x_stride, float *y, int64_t columns)
{
    int64_t i = 0;

    for (; i + LANES <= columns; i += LANES) {
        const vec a = load(x + i), b = load(x + x_stride + i), c = load(x + 2 * x_stride + i);
        float *const to = y + 3 * i;

        JOIN(0);
        JOIN(1);
        JOIN(2);
    }
    return i;
}
#undef JOIN
#undef ALL
#undef FOUR
#undef LAST_AT
#undef JOIN_AT

/* Four rows become one, four by four. */
static inline int64_t interleave_4(const float *x, int64_t x_stride, float *y, int64_t columns)
{
    int64_t i = 0;

    for (; i + LANES <= columns; i += LANES) {
        const vec a = load(x + i), b = load(x + x_stride + i), c = load(x + 2 * x_stride + i),
                  d = load(x + 3 * x_stride + i);
        const vec even = __builtin_shufflevector(a, c, ZIP_LOW), odd = __builtin_shufflevector(b, d, ZIP_LOW);
        const vec even_2 = __builtin_shufflevector(a, c, ZIP_HIGH), odd_2 = __builtin_shufflevector(b, d, ZIP_HIGH);
        float *const to = y + 4 * i;

        store(to, __builtin_shufflevector(even, odd, ZIP_LOW));
        store(to + LANES, __builtin_shufflevector(even, odd, ZIP_HIGH));
        store(to + 2 * LANES, __builtin_shufflevector(even_2, odd_2, ZIP_LOW));
        store(to + 3 * LANES, __builtin_shufflevector(even_2, odd_2, ZIP_HIGH));
    }
    return i;
}

/* The part of a transposition that has a way of its own. */
static inline int64_t transposed_columns(const uint32_t *x, int64_t x_stride, uint32_t *y, int64_t y_stride,
                                         int64_t rows, int64_t columns)
{
    if (rows == 3 && y_stride == 3)
        return interleave_3((const float *)x, x_stride, (float *)y, columns);
    if (rows == 4 && y_stride == 4)
        return interleave_4((const float *)x, x_stride, (float *)y, columns);
    return 0;
}

static inline void transpose_8_loop(const uint64_t *x, int64_t x_stride, uint64_t *y, int64_t y_stride, int64_t rows,
                                    int64_t columns)
{
    enum { BLOCK = 8 };

    for (int64_t r0 = 0; r0 < rows; r0 += BLOCK)
        for (int64_t c0 = 0; c0 < columns; c0 += BLOCK)
            for (int64_t c = c0; c < columns && c < c0 + BLOCK; c++)
                for (int64_t r = r0; r < rows && r < r0 + BLOCK; r++)
                    y[c * y_stride + r] = x[r * x_stride + c];
}

#endif
