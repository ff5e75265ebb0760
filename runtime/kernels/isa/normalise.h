/* Loops of norm.c along rows of one channel; norm_block.h has those across channels. A row's sums are kept in float
 * lanes, over at most 4096 elements, and added up in double. */
#ifndef KILN_KERNELS_ISA_NORMALISE_H
#define KILN_KERNELS_ISA_NORMALISE_H

#include "kernels/isa/reduce.h"

enum { MOMENT_BLOCK = 4096 };

static inline void moments_loop(const float *x, int64_t n, float mean, double *sum, double *squares)
{
    const vec shift = splat(mean);

    for (int64_t from = 0; from < n; from += MOMENT_BLOCK) {
        const int64_t end = n - from < MOMENT_BLOCK ? n : from + MOMENT_BLOCK;
        vec s[2] = { { 0 } }, q[2] = { { 0 } };
        int64_t i = from;
        float rest = 0, rest_squares = 0;

        for (; i + 2 * LANES <= end; i += 2 * LANES)
            for (int k = 0; k < 2; k++) {
                const vec v = load(x + i + k * LANES) - shift;

                s[k] += v;
                q[k] += v * v;
            }
        for (; i < end; i++) {
            const float v = x[i] - mean;

            rest += v;
            rest_squares += v * v;
        }
        *sum += total(s[0] + s[1]) + rest;
        *squares += total(q[0] + q[1]) + rest_squares;
    }
}
static inline void dot_centered_loop(const float *x, const float *g, int64_t n, float mean, double *sum_g,
                                     double *sum_gx)
{
    const vec shift = splat(mean);

    for (int64_t from = 0; from < n; from += MOMENT_BLOCK) {
        const int64_t end = n - from < MOMENT_BLOCK ? n : from + MOMENT_BLOCK;
        vec s[2] = { { 0 } }, q[2] = { { 0 } };
        int64_t i = from;
        float rest = 0, rest_products = 0;

        for (; i + 2 * LANES <= end; i += 2 * LANES)
            for (int k = 0; k < 2; k++) {
                const vec v = load(g + i + k * LANES);

                s[k] += v;
                q[k] += v * (load(x + i + k * LANES) - shift);
            }
        for (; i < end; i++) {
            rest += g[i];
            rest_products += g[i] * (x[i] - mean);
        }
        *sum_g += total(s[0] + s[1]) + rest;
        *sum_gx += total(q[0] + q[1]) + rest_products;
    }
}

static inline void scale_shift_loop(const float *x, float *y, int64_t n, float mean, float scale, float shift)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale + shift;
}
static inline void norm_back_loop(const float *x, const float *g, float *dx, int64_t n, float mean, float p, float q,
                                  float r)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        dx[i] = (p * g[i] + q * (x[i] - mean)) + r;
}
#endif
