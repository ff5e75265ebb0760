/* Random numbers, and arrays of any float type that are compared with sums in double. */
#ifndef KILN_TESTS_NUMBERS_H
#define KILN_TESTS_NUMBERS_H

#include "base/pool.h"
#include "kernels/kernels.h"
#include "tensor/half.h"
#include "unit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1;

static inline double random_unit(void) /* in [-1, 1) */
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 40) / (1 << 23) - 1;
}
static inline int64_t random_below(int64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(random_state >> 33) % n;
}

/* 64-byte aligned, filled with NaNs of every float type. At least one byte. */
static inline void *room(size_t bytes)
{
    const size_t whole = (bytes / 64 + 1) * 64;
    void *p = aligned_alloc(64, whole);

    ck_assert_ptr_nonnull(p);
    memset(p, 0xff, whole);
    return p;
}
static inline double get(enum dtype dtype, const void *p, int64_t i)
{
    const uint16_t *const half = p;

    switch (dtype) {
    case F64:
        return ((const double *)p)[i];
    case F32:
        return (double)((const float *)p)[i];
    case F16:
        return (double)f16_to_f32(half[i]);
    default:
        return (double)bf16_to_f32(half[i]);
    }
}
static inline void put(enum dtype dtype, void *p, int64_t i, double v)
{
    if (dtype == F64)
        ((double *)p)[i] = v;
    else if (dtype == F32)
        ((float *)p)[i] = (float)v;
    else
        ((uint16_t *)p)[i] = dtype == F16 ? f32_to_f16((float)v) : f32_to_bf16((float)v);
}
static inline void *random_array(enum dtype dtype, int64_t n)
{
    void *p = room((size_t)n * dtype_size(dtype));

    for (int64_t i = 0; i < n; i++)
        put(dtype, p, i, random_unit());
    return p;
}
/* One or two elements, not finite. */
static inline void spoil(enum dtype dtype, void *x, int64_t n)
{
    const double values[] = { (double)NAN, (double)INFINITY, (double)-INFINITY };

    for (int64_t k = random_below(2); k >= 0 && n > 0; k--)
        put(dtype, x, random_below(n), values[random_below(3)]);
}
/* What a sum of terms of about 1 may be off by, relative to the sum of their absolute values. */
static inline double rounding(enum dtype dtype)
{
    return dtype == F64 ? 2e-15 : dtype == F32 ? 5e-7 : dtype == F16 ? 2e-3 : 1e-2;
}
static inline void expect_near(const char *what, int64_t i, double got, double wanted, double bound)
{
    if (got == wanted || (isnan(wanted) && isnan(got))) /* infinities too */
        return;
    ck_assert_msg(fabs(got - wanted) <= bound, "%s[%lld]: %.9g, wanted %.9g, within %.3g", what, (long long)i, got,
                  wanted, bound);
}
static inline struct pool *threads(int n)
{
    static struct budget budget;
    static struct report report;
    struct pool *p = pool_new(n, &budget, &report);

    ck_assert_ptr_nonnull(p);
    return p;
}

#endif
