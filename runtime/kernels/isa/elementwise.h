/* What is done to each element: rows as other kernels need them, and the optimisers. The formulas of operators are not
 * here (formula.h). */
#ifndef KILN_KERNELS_ISA_ELEMENTWISE_H
#define KILN_KERNELS_ISA_ELEMENTWISE_H

#include "kernels/isa/functions.h"
#include "kernels/isa/lanes.h"

static void add_loop(const float *p, const float *q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] + q[i];
}
static void mul_loop(const float *p, const float *q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] * q[i];
}
static void add_s_loop(const float *p, float q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] + q;
}
static void mul_s_loop(const float *p, float q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] * q;
}
static void relu_loop(const float *x, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}
static void affine_loop(const float *x, float *y, int64_t n, float a, float b)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = a * x[i] + b;
}
static void axpy_loop(float a, const float *x, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}
static void bias_columns_loop(const float *x, const float *bias, float *y, int64_t rows, int64_t columns, bool relu)
{
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        add_loop(x, bias, y, columns);
        if (relu)
            relu_loop(y, y, columns);
    }
}
static void bias_rows_loop(const float *x, const float *bias, float *y, int64_t rows, int64_t columns, bool relu)
{
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        add_s_loop(x, bias[r], y, columns);
        if (relu)
            relu_loop(y, y, columns);
    }
}

/* -- optimisers -- */

/* 0 where x is finite. */
static inline int32_t not_finite(float x)
{
    const float zero = x - x;
    int32_t bits;

    memcpy(&bits, &zero, sizeof bits);
    return bits;
}

static bool adam_loop(float *w, float *m, float *v, const float *g, int64_t n, float alpha, float one_minus_beta1,
                      float one_minus_beta2, float epsilon)
{
    int32_t any = 0;

    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float mean = m[i] + (g[i] - m[i]) * one_minus_beta1;
        const float square = v[i] + (g[i] * g[i] - v[i]) * one_minus_beta2;
        const float now = w[i] - mean * alpha / (__builtin_sqrtf(square) + epsilon);

        m[i] = mean;
        v[i] = square;
        w[i] = now;
        any |= not_finite(now);
    }
    return !any;
}
static bool rmsprop_loop(float *w, float *v, float *mean, float *m, const float *g, int64_t n, float lr, float rho,
                         float momentum, float epsilon)
{
    enum { BLOCK = 256 };
    float denominator[BLOCK];
    int32_t any = 0;

    for (int64_t from = 0; from < n; from += BLOCK) {
        const int64_t count = n - from < BLOCK ? n - from : BLOCK;

        INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            const float square = rho * v[from + i] + (1 - rho) * (g[from + i] * g[from + i]);

            v[from + i] = square;
            denominator[i] = square;
        }
        if (mean) {
            INDEPENDENT
            for (int64_t i = 0; i < count; i++) {
                const float average = rho * mean[from + i] + (1 - rho) * g[from + i];

                mean[from + i] = average;
                denominator[i] -= average * average;
            }
        }
        INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            denominator[i] = lr * g[from + i] / __builtin_sqrtf(denominator[i] + epsilon);
        if (m) {
            INDEPENDENT
            for (int64_t i = 0; i < count; i++) {
                m[from + i] = momentum * m[from + i] + denominator[i];
                denominator[i] = m[from + i];
            }
        }
        INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            w[from + i] -= denominator[i];
            any |= not_finite(w[from + i]);
        }
    }
    return !any;
}
static bool sgd_loop(float *w, float *m, const float *g, int64_t n, float lr, float momentum, bool nesterov)
{
    int32_t any = 0;

    if (!m) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            w[i] -= lr * g[i];
            any |= not_finite(w[i]);
        }
        return !any;
    }
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float velocity = momentum * m[i] - lr * g[i];

        m[i] = velocity;
        w[i] += nesterov ? momentum * velocity - lr * g[i] : velocity;
        any |= not_finite(w[i]);
    }
    return !any;
}

#endif
