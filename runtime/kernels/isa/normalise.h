/* Loops of norm.c. A row's sums are kept in float lanes, over at most 4096 elements, and added up in double. */
#ifndef KILN_KERNELS_ISA_NORMALISE_H
#define KILN_KERNELS_ISA_NORMALISE_H

#include "kernels/isa/reduce.h"

enum { MOMENT_BLOCK = 4096, MOMENT_ROWS = 32 };

static void moments_loop(const float *x, int64_t n, float mean, double *sum, double *squares)
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
static void dot_centered_loop(const float *x, const float *g, int64_t n, float mean, double *sum_g, double *sum_gx)
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

/* Across channels: LANES columns at a time, MOMENT_ROWS rows in float, then into the doubles. */
static void add_lanes(const float *from, double *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += (double)from[i];
}
static void moments_columns_loop(const float *x, int64_t rows, int64_t columns, const float *mean, double *sum,
                                 double *squares)
{
    for (int64_t from = 0; from < rows; from += MOMENT_ROWS) {
        const int64_t end = rows - from < MOMENT_ROWS ? rows : from + MOMENT_ROWS;

        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t n = columns - c < LANES ? columns - c : LANES;
            vec s = { 0 }, q = { 0 };
            float lanes[LANES];
            const vec shift = n == LANES ? load(mean + c) : load_some(mean + c, n);

            for (int64_t r = from; r < end; r++) {
                const float *at = x + r * columns + c;
                const vec v = (n == LANES ? load(at) : load_some(at, n)) - shift;

                s += v;
                q += v * v;
            }
            store(lanes, s);
            add_lanes(lanes, sum + c, n);
            store(lanes, q);
            add_lanes(lanes, squares + c, n);
        }
    }
}
static void dot_centered_columns_loop(const float *x, const float *g, int64_t rows, int64_t columns, const float *mean,
                                      double *sum_g, double *sum_gx)
{
    for (int64_t from = 0; from < rows; from += MOMENT_ROWS) {
        const int64_t end = rows - from < MOMENT_ROWS ? rows : from + MOMENT_ROWS;

        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t n = columns - c < LANES ? columns - c : LANES;
            vec s = { 0 }, q = { 0 };
            float lanes[LANES];
            const vec shift = n == LANES ? load(mean + c) : load_some(mean + c, n);

            for (int64_t r = from; r < end; r++) {
                const int64_t at = r * columns + c;
                const vec v = n == LANES ? load(g + at) : load_some(g + at, n);

                s += v;
                q += v * ((n == LANES ? load(x + at) : load_some(x + at, n)) - shift);
            }
            store(lanes, s);
            add_lanes(lanes, sum_g + c, n);
            store(lanes, q);
            add_lanes(lanes, sum_gx + c, n);
        }
    }
}

static void scale_shift_loop(const float *x, float *y, int64_t n, float mean, float scale, float shift)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale + shift;
}
static void scale_shift_columns_loop(const float *x, float *y, int64_t rows, int64_t columns, const float *mean,
                                     const float *scale, const float *shift)
{
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        INDEPENDENT
        for (int64_t c = 0; c < columns; c++)
            y[c] = (x[c] - mean[c]) * scale[c] + shift[c];
    }
}
static void norm_back_loop(const float *x, const float *g, float *dx, int64_t n, float mean, float p, float q, float r)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        dx[i] = (p * g[i] + q * (x[i] - mean)) + r;
}
static void norm_back_columns_loop(const float *x, const float *g, float *dx, int64_t rows, int64_t columns,
                                   const float *mean, const float *p, const float *q, const float *r)
{
    for (int64_t i = 0; i < rows; i++, x += columns, g += columns, dx += columns) {
        INDEPENDENT
        for (int64_t c = 0; c < columns; c++)
            dx[c] = (p[c] * g[c] + q[c] * (x[c] - mean[c])) + r[c];
    }
}

#endif
