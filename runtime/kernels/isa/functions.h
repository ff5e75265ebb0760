/* exp, log and their kin: libm where the oracle is built (PLAIN), else polynomials that the compiler turns into vector
 * code, because they have no branch. The coefficients are minimax fits of our own. */
#ifndef KILN_KERNELS_ISA_FUNCTIONS_H
#define KILN_KERNELS_ISA_FUNCTIONS_H

#include "kernels/isa/lanes.h"

#ifdef PLAIN
#define exp_of     expf
#define log_of     logf
#define tanh_of    tanhf
#define erf_of     erff
#define expm1_of   expm1f
#define log1p_unit log1pf
#else

#define FMA __builtin_fmaf

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

/* x = n ln 2 + r, |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
struct reduced {
    float r;
    int32_t n;
};
static inline struct reduced reduce_exp(float x)
{
    const float magic = 12582912.f;
    const float shifted = FMA(x, 1.44269504f, magic);
    const float n = shifted - magic;

    return (struct reduced){ FMA(n, -1.4286068203e-6f, FMA(n, -.693145751953125f, x)),
                             (int32_t)(float_bits(shifted) - float_bits(magic)) };
}
static inline float exp_poly(float r) /* exp(r) - 1 */
{
    float p = FMA(1.381446476e-3f, r, 8.368780623e-3f);

    p = FMA(p, r, 4.166839426e-2f);
    p = FMA(p, r, 1.666652011e-1f);
    p = FMA(p, r, 4.999999341e-1f);
    return FMA(p, r * r, r);
}
static inline float exp_of(float x)
{
    const float low = x < -104.f ? -104.f : x; /* written so that NaN passes */
    const struct reduced d = reduce_exp(low > 89.f ? 89.f : low);
    const int32_t half = d.n >> 1; /* two factors, so that neither leaves the range of exponents */

    return (1 + exp_poly(d.r)) * bits_float((uint32_t)(half + 127) << 23) *
           bits_float((uint32_t)(d.n - half + 127) << 23);
}
static inline float expm1_of(float x) /* for x <= 0; elsewhere it is never used */
{
    const float low = x < -20.f ? -20.f : x;
    const struct reduced d = reduce_exp(low > 1.f ? 1.f : low);
    const float scale = bits_float((uint32_t)(d.n + 127) << 23);

    return FMA(scale, exp_poly(d.r), scale - 1);
}
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
static inline float log1p_unit(float u) /* for u in [0, 1]: the rounding of 1 + u is made good */
{
    const float w = 1 + u, d = w - 1;
    const float scaled = log_of(w) * (u / (d == 0 ? 1 : d));

    return d == 0 ? u : scaled;
}
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
    float p = FMA(8.215423735e-5f, z, -8.105965125e-4f), q = FMA(1.188545317e-5f, u, -3.293092361e-4f);

    p = FMA(p, z, 5.197797168e-3f);
    p = FMA(p, z, -2.685810429e-2f);
    p = FMA(p, z, 1.128367255e-1f);
    p = FMA(p, z, -3.761263229e-1f);
    p = FMA(p * z, x, 1.128379166f * x);
    q = FMA(q, u, 3.668724493e-3f);
    q = FMA(q, u, -2.381719546e-2f);
    q = FMA(q, u, 1.063003716e-1f);
    q = FMA(q, u, 6.351132467e-1f);
    q = FMA(q, u, 1.128657783f);
    return t > .94f ? __builtin_copysignf(1 - exp_of(-q * u), x) : p;
}
#endif

static inline float sigmoid_of(float x)
{
    return 1 / (1 + exp_of(-x));
}

#endif
