/* Optimisers. */
#include "kernels/isa/functions.h"
#include "kernels/isa/lanes.h"
#include "kernels/isa/levels.h"

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

const struct update_kernels OF_LEVEL(update_kernels) = {
    .adam = adam_loop,
    .rmsprop = rmsprop_loop,
    .sgd = sgd_loop,
};
