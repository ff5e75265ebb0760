/* Rows of depthwise convolution and of 2x2 pooling. */
#ifndef KILN_KERNELS_ISA_WINDOWS_H
#define KILN_KERNELS_ISA_WINDOWS_H

#include "kernels/isa/reduce.h"

static void row_axpy_loop(float w, const float *x, int64_t x_step, float *y, int64_t y_step, int64_t n)
{
    if (x_step == 1 && y_step == 1) {
        axpy_loop(w, x, y, n);
    } else if (x_step == 2 && y_step == 1) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] += w * x[2 * i];
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i * y_step] += w * x[i * x_step];
    }
}
static float row_dot_loop(const float *x, int64_t x_step, const float *y, int64_t n)
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
    return beats(b, a) ? b : a;
}
static void row_max_loop(const float *x, int64_t x_step, float *y, int64_t n)
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
static void max_pool_2x2_loop(const float *x, int64_t x_stride, float *y, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *top = x + 2 * r * x_stride, *bottom = top + x_stride;

        INDEPENDENT
        for (int64_t c = 0; c < columns; c++)
            y[r * columns + c] = larger(larger(top[2 * c], top[2 * c + 1]), larger(bottom[2 * c], bottom[2 * c + 1]));
    }
}
static void max_pool_2x2_grad_loop(const float *x, int64_t x_stride, const float *dy, float *dx, int64_t rows,
                                   int64_t columns)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *top = x + 2 * r * x_stride, *bottom = top + x_stride;
        float *dtop = dx + 2 * r * x_stride, *dbottom = dtop + x_stride;

        INDEPENDENT
        for (int64_t c = 0; c < columns; c++) {
            const float p = top[2 * c], q = top[2 * c + 1], s = bottom[2 * c], t = bottom[2 * c + 1];
            const bool right_top = beats(q, p), right_bottom = beats(t, s);
            const bool low = beats(right_bottom ? t : s, right_top ? q : p);
            const float g = dy[r * columns + c];

            dtop[2 * c] = (!low & !right_top) ? g : 0;
            dtop[2 * c + 1] = (!low & right_top) ? g : 0;
            dbottom[2 * c] = (low & !right_bottom) ? g : 0;
            dbottom[2 * c + 1] = (low & right_bottom) ? g : 0;
        }
    }
}

#endif
