/* exp, log and their kin, to 2 units in the last place (tests/unit/every_float.c): polynomials that the compiler turns
 * into vector code, because they have no branch. The coefficients are minimax fits of our own. What needs more digits
 * on the way than float has is done in double. */
#ifndef KILN_KERNELS_ISA_FUNCTIONS_H
#define KILN_KERNELS_ISA_FUNCTIONS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define FMA      __builtin_fmaf
#define FMA_WIDE __builtin_fma
#else /* as good here, but for a little of the error */
#define FMA(x, y, z)      ((x) * (y) + (z))
#define FMA_WIDE(x, y, z) ((x) * (y) + (z))
#endif

static inline float bits_float(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}
static inline uint32_t float_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

/* -- exp -- */

/* x = n ln 2 + r + rest, |r| <= ln 2 / 2, exactly but for the last digits of the rest; adding 1.5 * 2^23 rounds to an
 * integer and leaves it in the low bits. */
struct reduced {
    float r, rest;
    int32_t n;
};
static inline struct reduced reduce_exp(float x)
{
    const float magic = 12582912.f;
    const float shifted = FMA(x, 1.44269504f, magic);
    const float n = shifted - magic;

    return (struct reduced){ FMA(n, -.693145751953125f, x), n * -1.4286068203e-6f,
                             (int32_t)(float_bits(shifted) - float_bits(magic)) };
}
static inline float exp_tail(float r) /* exp(r) - 1 - r */
{
    float p = FMA(1.3814467e-3f, r, 8.3687805e-3f);

    p = FMA(p, r, 4.1668394e-2f);
    p = FMA(p, r, 1.66665201e-1f);
    p = FMA(p, r, 4.99999934e-1f);
    return p * (r * r);
}
static inline float exp_reduced(struct reduced d) /* without n; what 1 + r loses is kept */
{
    const float one = 1 + d.r;

    return one + ((d.r - (one - 1)) + (exp_tail(d.r + d.rest) + d.rest));
}
static inline float exp_of(float x)
{
    const float low = x < -104.f ? -104.f : x; /* written so that NaN passes */
    const struct reduced d = reduce_exp(low > 89.f ? 89.f : low);
    const int32_t half = d.n >> 1; /* two factors, so that neither leaves the range of exponents */

    return exp_reduced(d) * bits_float((uint32_t)(half + 127) << 23) * bits_float((uint32_t)(d.n - half + 127) << 23);
}
static inline float exp_negative(float x) /* for x <= 0 */
{
    const struct reduced d = reduce_exp(x < -88.f ? -88.f : x);

    return exp_reduced(d) * bits_float((uint32_t)(d.n + 127) << 23);
}
static inline float expm1_of(float x) /* for x <= 0; elsewhere it is never used */
{
    const float low = x < -20.f ? -20.f : x;
    const struct reduced d = reduce_exp(low > 1.f ? 1.f : low);
    const float scale = bits_float((uint32_t)(d.n + 127) << 23);

    return FMA(scale, d.r + (exp_tail(d.r + d.rest) + d.rest), scale - 1);
}
static inline double exp_wide(double x) /* for x up to 700; to 2^-28 */
{
    const double magic = 6755399441055744.; /* 1.5 * 2^52 */
    const double low = x < -700 ? -700 : x;
    const double shifted = FMA_WIDE(low, 1.4426950408889634, magic);
    const double r = FMA_WIDE(shifted - magic, -.69314718055994531, low);
    double p = FMA_WIDE(.0013814467074116754, r, .008368780457707373), scale;
    uint64_t bits;

    p = FMA_WIDE(p, r, .041668394212427254);
    p = FMA_WIDE(p, r, .16666520107318367);
    p = FMA_WIDE(p, r, .49999993412484695);
    p = FMA_WIDE(p, r, 1);
    p = FMA_WIDE(p, r, 1);
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52; /* the low bits of shifted are the integer */
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* -- log -- */

static inline float log_of(float x)
{
    const bool tiny = x < 1.17549435e-38f;
    const float y = tiny ? x * 8388608.f : x;
    const uint32_t u = float_bits(y) - 0x3f3504f3; /* mantissas in [sqrt(.5), sqrt(2)) */
    const float e = (float)((int32_t)u >> 23) - (tiny ? 23.f : 0.f);
    const float f = bits_float((u & 0x7fffff) + 0x3f3504f3) - 1;
    float p = FMA(-7.859545776e-2f, f, 1.288162236e-1f), result;

    p = FMA(p, f, -1.312876765e-1f);
    p = FMA(p, f, 1.418119612e-1f);
    p = FMA(p, f, -1.662455314e-1f);
    p = FMA(p, f, 2.000228608e-1f);
    p = FMA(p, f, -2.500081043e-1f);
    p = FMA(p, f, 3.333331673e-1f);
    p = FMA(p * f, f * f, e * 1.4286068203e-6f);
    p = FMA(f * f, -.5f, p) + f;
    result = FMA(e, .693145751953125f, p);
    result = x == 0 ? -INFINITY : result;
    result = x < 0 ? NAN : result;
    return x < INFINITY ? result : x; /* infinity and NaN */
}

/* -- tanh, erf -- */

static inline float tanh_of(float x)
{
    const float t = __builtin_fabsf(x), z = x * x;
    const float far = 1 - 2 / (exp_of(2 * t) + 1);
    float p = FMA(-5.721629881e-3f, z, 2.065521840e-2f);

    p = FMA(p, z, -5.374514459e-2f);
    p = FMA(p, z, 1.333151517e-1f);
    p = FMA(p, z, -3.333328508e-1f);
    p = FMA(p * z, x, x);
    return t > .625f ? __builtin_copysignf(far, x) : p;
}
static inline float erf_of(float x)
{
    const float t = __builtin_fabsf(x), z = x * x;
    const float u = t > 4.1f ? 4.1f : t; /* 1 from there on */
    float p = FMA(8.1851654e-5f, z, -8.0977247e-4f), q = FMA(1.188545317e-5f, u, -3.293092361e-4f);

    p = FMA(p, z, 5.1969545e-3f);
    p = FMA(p, z, -2.6857706e-2f);
    p = FMA(p, z, 1.1283664e-1f);
    p = FMA(p, z, -3.7612632e-1f);
    p = FMA(p, z, 1.28379166e-1f);
    p = FMA(p, x, x);
    q = FMA(q, u, 3.668724493e-3f);
    q = FMA(q, u, -2.381719546e-2f);
    q = FMA(q, u, 1.063003716e-1f);
    q = FMA(q, u, 6.351132467e-1f);
    q = FMA(q, u, 1.128657783f);
    return t > .94f ? __builtin_copysignf(1 - exp_negative(-q * u), x) : p;
}

static inline float sigmoid_of(float x)
{
    const float e = exp_negative(-__builtin_fabsf(x));
    const float q = (x < 0 ? e : 1) / (1 + e);

    return x < 0 ? FMA(-e, q, e) : q; /* e / (1 + e) is e - e q, where the rounding of 1 + e matters less */
}
/* max(x, 0) + log(1 + u) with u = exp(-|x|); with s = u / (2 + u) that logarithm is 2 (s + s^3 / 3 + ...), or
 * u - s (u - 2 s^2 / 3 - ...). */
static inline float softplus_of(float x)
{
    const float u = exp_negative(-__builtin_fabsf(x)), s = u / (2 + u), z = s * s;
    float p = FMA(2.42895514e-1f, z, 2.14307427e-1f);

    p = FMA(p, z, 2.86165968e-1f);
    p = FMA(p, z, 3.99988884e-1f);
    p = FMA(p, z, 6.66666755e-1f);
    return u + FMA(-s, FMA(-p, z, u), x > 0 ? x : 0);
}

/* -- sinh, cosh, and their inverse functions: in double, all but what is next to 0 -- */

static inline double log_wide(double x) /* of normal numbers above 0; to 2^-33, next to 1 as well */
{
    const uint64_t least = 0x3fe6a09e667f3bcd; /* mantissas in [sqrt(.5), sqrt(2)) */
    uint64_t bits, exponent;
    double e, m, s, z, p;

    memcpy(&bits, &x, sizeof bits);
    bits -= least;
    exponent = ((bits + ((uint64_t)1023 << 52)) >> 52) | 0x4330000000000000; /* 2^52 + 1023 + the exponent */
    bits = (bits & 0xfffffffffffff) + least;
    memcpy(&e, &exponent, sizeof e);
    memcpy(&m, &bits, sizeof m);
    s = (m - 1) / (m + 1); /* log(m) = 2 (s + s^3 / 3 + s^5 / 5 + ...) */
    z = s * s;
    p = FMA_WIDE(.09090909090909091, z, .1111111111111111);
    p = FMA_WIDE(p, z, .14285714285714285);
    p = FMA_WIDE(p, z, .2);
    p = FMA_WIDE(p, z, .3333333333333333);
    p = FMA_WIDE(p * z, s, s);
    return FMA_WIDE(e - (0x1p52 + 1023), .69314718055994531, 2 * p);
}
static inline float sinh_of(float x)
{
    const float t = __builtin_fabsf(x), z = x * x;
    const double e = exp_wide((double)(t > 90.f ? 90.f : t)); /* infinite from there on, as a float */
    float p = FMA(2.5052108e-8f, z, 2.7557319e-6f);           /* the Taylor series' coefficients */

    p = FMA(p, z, 1.9841270e-4f);
    p = FMA(p, z, 8.3333333e-3f);
    p = FMA(p, z, 1.6666667e-1f);
    p = FMA(p * z, t, t);
    return __builtin_copysignf(t <= 1.f ? p : (float)(.5 * (e - 1 / e)), x);
}
static inline float cosh_of(float x)
{
    const float t = __builtin_fabsf(x);
    const double e = exp_wide((double)(t > 90.f ? 90.f : t));

    return (float)(.5 * (e + 1 / e));
}
static inline float asinh_of(float x)
{
    const float t = __builtin_fabsf(x);
    const double wide = (double)t;
    const float far = (float)log_wide(wide + __builtin_sqrt(wide * wide + 1));
    const float result = t < .01f ? FMA(t * x * x, -1.6666667e-1f, t) : far;

    return __builtin_copysignf(t < INFINITY ? result : t, x);
}
static inline float acosh_of(float x)
{
    const double wide = (double)(x < 1.f ? 1.f : x);
    const float result = (float)log_wide(wide + __builtin_sqrt(wide * wide - 1));

    return x < 1.f ? NAN : x < INFINITY ? result : x;
}
static inline float atanh_of(float x)
{
    const float t = __builtin_fabsf(x);
    const double wide = (double)(t < 1.f ? t : 0.f);
    const float far = (float)(.5 * log_wide((1 + wide) / (1 - wide)));
    const float result = t < .01f ? FMA(t * x * x, 3.3333333e-1f, t) : far;

    return __builtin_copysignf(t < 1.f ? result : t > 1.f ? NAN : t * INFINITY, x);
}

#endif
