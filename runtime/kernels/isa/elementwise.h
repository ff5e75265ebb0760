/* What is done to each element of rows as other kernels need them. The formulas of operators are not here
 * (formula.h). */
#ifndef KILN_KERNELS_ISA_ELEMENTWISE_H
#define KILN_KERNELS_ISA_ELEMENTWISE_H

#include "kernels/isa/functions.h"
#include "kernels/isa/lanes.h"

static inline void add_loop(const float *p, const float *q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] + q[i];
}
static inline void mul_loop(const float *p, const float *q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] * q[i];
}
static inline void add_s_loop(const float *p, float q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] + q;
}
static inline void mul_s_loop(const float *p, float q, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = p[i] * q;
}
static inline void relu_loop(const float *x, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}
static inline void affine_loop(const float *x, float *y, int64_t n, float a, float b)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = a * x[i] + b;
}
static inline void axpy_loop(float a, const float *x, float *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}
static inline void bias_columns_loop(const float *x, const float *bias, float *y, int64_t rows, int64_t columns,
                                     bool relu)
{
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        add_loop(x, bias, y, columns);
        if (relu)
            relu_loop(y, y, columns);
    }
}
static inline void bias_rows_loop(const float *x, const float *bias, float *y, int64_t rows, int64_t columns, bool relu)
{
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        add_s_loop(x, bias[r], y, columns);
        if (relu)
            relu_loop(y, y, columns);
    }
}

#endif
