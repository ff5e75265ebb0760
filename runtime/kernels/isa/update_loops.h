/* The loops of update.c for one type: REAL, BITS (an integer of its size), SQRT, NAME. No include guard: they are made
 * for two. */

/* 0 where x is finite. */
static inline BITS NAME(not_finite)(REAL x)
{
    const REAL zero = x - x;
    BITS bits;

    memcpy(&bits, &zero, sizeof bits);
    return bits;
}

static bool NAME(adam)(REAL *w, REAL *m, REAL *v, const REAL *g, int64_t n, REAL alpha, REAL one_minus_beta1,
                       REAL one_minus_beta2, REAL epsilon)
{
    BITS any = 0;

    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const REAL mean = m[i] + (g[i] - m[i]) * one_minus_beta1;
        const REAL square = v[i] + (g[i] * g[i] - v[i]) * one_minus_beta2;
        const REAL now = w[i] - mean * alpha / (SQRT(square) + epsilon);

        m[i] = mean;
        v[i] = square;
        w[i] = now;
        any |= NAME(not_finite)(now);
    }
    return !any;
}
static bool NAME(rmsprop)(REAL *w, REAL *v, REAL *mean, REAL *m, const REAL *g, int64_t n, REAL lr, REAL rho,
                          REAL momentum, REAL epsilon)
{
    enum { BLOCK = 256 };
    REAL denominator[BLOCK];
    BITS any = 0;

    for (int64_t from = 0; from < n; from += BLOCK) {
        const int64_t count = n - from < BLOCK ? n - from : BLOCK;

        INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            const REAL square = rho * v[from + i] + (1 - rho) * (g[from + i] * g[from + i]);

            v[from + i] = square;
            denominator[i] = square;
        }
        if (mean) {
            INDEPENDENT
            for (int64_t i = 0; i < count; i++) {
                const REAL average = rho * mean[from + i] + (1 - rho) * g[from + i];

                mean[from + i] = average;
                denominator[i] -= average * average;
            }
        }
        INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            denominator[i] = lr * g[from + i] / SQRT(denominator[i] + epsilon);
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
            any |= NAME(not_finite)(w[from + i]);
        }
    }
    return !any;
}
static bool NAME(sgd)(REAL *w, REAL *m, const REAL *g, int64_t n, REAL lr, REAL momentum, bool nesterov)
{
    BITS any = 0;

    if (!m) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            w[i] -= lr * g[i];
            any |= NAME(not_finite)(w[i]);
        }
        return !any;
    }
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const REAL velocity = momentum * m[i] - lr * g[i];

        m[i] = velocity;
        w[i] += nesterov ? momentum * velocity - lr * g[i] : velocity;
        any |= NAME(not_finite)(w[i]);
    }
    return !any;
}

#undef REAL
#undef BITS
#undef SQRT
#undef NAME
