/* Elementwise entries of the table. An entry is one expression; the loop around it is unary.h, binary.h or one of their
 * kin. */
#ifndef KILN_KERNELS_ISA_ELEMENTWISE_H
#define KILN_KERNELS_ISA_ELEMENTWISE_H

#include "kernels/isa/functions.h"

static inline float lower(float x, float bound) /* at least `bound`; NaN passes */
{
    return x < bound ? bound : x;
}
static inline float upper(float x, float bound)
{
    return x > bound ? bound : x;
}
static inline float gelu_tanh_slope(float x)
{
    const float t = tanh_of(.797884561f * (x + .044715f * x * x * x));

    return .5f * (1 + t) + .5f * x * (1 - t * t) * (.797884561f + .107032224f * x * x);
}

#define NAME       affine
#define EXPRESSION (a * x + b)
#include "kernels/isa/unary.h"
#define NAME       relu
#define EXPRESSION (x < 0 ? 0 : x)
#include "kernels/isa/unary.h"
#define NAME       leaky_relu
#define EXPRESSION (x < 0 ? a * x : x)
#include "kernels/isa/unary.h"
#define NAME       elu
#define EXPRESSION (x < 0 ? a * expm1_of(x) : x)
#include "kernels/isa/unary.h"
#define NAME       selu
#define EXPRESSION (x > 0 ? b * x : b * (a * expm1_of(x)))
#include "kernels/isa/unary.h"
#define NAME       sigmoid
#define EXPRESSION (sigmoid_of(x))
#include "kernels/isa/unary.h"
#define NAME       swish
#define EXPRESSION (x * sigmoid_of(x))
#include "kernels/isa/unary.h"
#define NAME       hard_sigmoid
#define EXPRESSION (lower(upper(a * x + b, 1), 0))
#include "kernels/isa/unary.h"
#define NAME       tanh
#define EXPRESSION (tanh_of(x))
#include "kernels/isa/unary.h"
#define NAME       exp
#define EXPRESSION (exp_of(x))
#include "kernels/isa/unary.h"
#define NAME       log
#define EXPRESSION (log_of(x))
#include "kernels/isa/unary.h"
#define NAME       softplus
#define EXPRESSION (softplus_of(x))
#include "kernels/isa/unary.h"
#define NAME       erf
#define EXPRESSION (erf_of(x))
#include "kernels/isa/unary.h"
#define NAME       gelu
#define EXPRESSION (gelu_of(x))
#include "kernels/isa/unary.h"
#define NAME       gelu_tanh
#define EXPRESSION (gelu_tanh_of(x))
#include "kernels/isa/unary.h"
#define NAME       sqrt
#define EXPRESSION (__builtin_sqrtf(x))
#include "kernels/isa/unary.h"
#define NAME       reciprocal
#define EXPRESSION (1 / x)
#include "kernels/isa/unary.h"
#define NAME       neg
#define EXPRESSION (-x)
#include "kernels/isa/unary.h"
#define NAME       square
#define EXPRESSION (x * x)
#include "kernels/isa/unary.h"
#define NAME       cube
#define EXPRESSION (x * x * x)
#include "kernels/isa/unary.h"
#define NAME       root
#define EXPRESSION (x == -INFINITY ? INFINITY : __builtin_sqrtf(x + 0.f))
#include "kernels/isa/unary.h"
#define NAME       softsign
#define EXPRESSION (x / (1 + __builtin_fabsf(x)))
#include "kernels/isa/unary.h"
#define NAME       clip
#define EXPRESSION (upper(lower(x, a), b))
#include "kernels/isa/unary.h"

#define NAME       relu_grad
#define EXPRESSION (x > 0 ? g : 0)
#include "kernels/isa/unary_grad.h"
#define NAME       leaky_relu_grad
#define EXPRESSION (x < 0 ? a * g : g)
#include "kernels/isa/unary_grad.h"
#define NAME       elu_grad
#define EXPRESSION (x < 0 ? a * exp_of(x) * g : g)
#include "kernels/isa/unary_grad.h"
#define NAME       elu_grad_y
#define EXPRESSION (x < 0 ? g * (x + a) : g)
#include "kernels/isa/unary_grad.h"
#define NAME       selu_grad_y
#define EXPRESSION (x > 0 ? g * b : g * (x + a * b))
#include "kernels/isa/unary_grad.h"
#define NAME       selu_grad
#define EXPRESSION (x > 0 ? b * g : b * a * exp_of(x) * g)
#include "kernels/isa/unary_grad.h"
#define NAME       sigmoid_grad
#define EXPRESSION (g * (x * (1 - x)))
#include "kernels/isa/unary_grad.h"
#define NAME       hard_sigmoid_grad
#define EXPRESSION (a * x + b > 0 && a * x + b < 1 ? a * g : 0)
#include "kernels/isa/unary_grad.h"
#define NAME       tanh_grad
#define EXPRESSION (g * (1 - x * x))
#include "kernels/isa/unary_grad.h"
#define NAME       softplus_grad
#define EXPRESSION (g * sigmoid_of(x))
#include "kernels/isa/unary_grad.h"
#define NAME       gelu_grad
#define EXPRESSION (g * (.5f * (1 + erf_of(x * .707106781f)) + x * .398942280f * exp_of(-.5f * x * x)))
#include "kernels/isa/unary_grad.h"
#define NAME       gelu_tanh_grad
#define EXPRESSION (g * gelu_tanh_slope(x))
#include "kernels/isa/unary_grad.h"
#define NAME       erf_grad
#define EXPRESSION (g * (1.12837917f * exp_of(-x * x)))
#include "kernels/isa/unary_grad.h"
#define NAME       sqrt_grad
#define EXPRESSION (g / (2 * x))
#include "kernels/isa/unary_grad.h"
#define NAME       reciprocal_grad
#define EXPRESSION (-g * x * x)
#include "kernels/isa/unary_grad.h"
#define NAME       softsign_grad
#define EXPRESSION (g / ((1 + __builtin_fabsf(x)) * (1 + __builtin_fabsf(x))))
#include "kernels/isa/unary_grad.h"
#define NAME       clip_grad
#define EXPRESSION (x >= a && x <= b ? g : 0)
#include "kernels/isa/unary_grad.h"

#define NAME       add
#define EXPRESSION (p + q)
#include "kernels/isa/binary.h"
#define NAME       sub
#define EXPRESSION (p - q)
#include "kernels/isa/binary.h"
#define NAME       mul
#define EXPRESSION (p * q)
#include "kernels/isa/binary.h"
#define NAME       div
#define EXPRESSION (p / q)
#include "kernels/isa/binary.h"
#define NAME       max
#define EXPRESSION (p > q || p != p ? p : q)
#include "kernels/isa/binary.h"
#define NAME       min
#define EXPRESSION (p < q || p != p ? p : q)
#include "kernels/isa/binary.h"

#define NAME       prelu
#define EXPRESSION (p < 0 ? q * p : p)
#include "kernels/isa/binary.h"

#define NAME       add_s
#define EXPRESSION (p + q)
#include "kernels/isa/scalar.h"
#define NAME       mul_s
#define EXPRESSION (p * q)
#include "kernels/isa/scalar.h"
#define NAME       sub_r
#define EXPRESSION (q - p)
#include "kernels/isa/scalar.h"
#define NAME       div_s
#define EXPRESSION (p / q)
#include "kernels/isa/scalar.h"
#define NAME       div_r
#define EXPRESSION (q / p)
#include "kernels/isa/scalar.h"

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
            relu_loop(y, y, columns, 0, 0);
    }
}
static void bias_rows_loop(const float *x, const float *bias, float *y, int64_t rows, int64_t columns, bool relu)
{
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        add_s_loop(x, bias[r], y, columns);
        if (relu)
            relu_loop(y, y, columns, 0, 0);
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
