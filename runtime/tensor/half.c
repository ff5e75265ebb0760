#include "tensor/half.h"
#include "tensor/small.h"
#include <string.h>

/* Every conversion computes its cases side by side and selects one by a mask, so that the loops below become vector
 * code: a floating point operation that might not be executed keeps the compiler from that. */
static inline uint32_t choose(bool condition, uint32_t yes, uint32_t no)
{
    const uint32_t mask = 0 - (uint32_t)condition;

    return (yes & mask) | (no & ~mask);
}

static inline uint32_t bits_of(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float float_of(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

enum {
    F16_INF = 0x7c00,
    F16_QUIET = 0x200,
    BIAS = 127 - 15,             /* between the exponents of float and float16 */
    F32_TINY = (BIAS + 1) << 23, /* 2^-14, the smallest normal float16, as a float's bits */
    F32_INF = 0x7f800000
};

static inline float from_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, a = h & 0x7fff;
    const uint32_t normal = (a << 13) + ((uint32_t)BIAS << 23);
    const uint32_t special = (a << 13) | F32_INF;
    const uint32_t subnormal = bits_of((float)(int32_t)a * 0x1p-24f); /* exact */

    return float_of(sign | choose(a < 0x400, subnormal, choose(a < F16_INF, normal, special)));
}

static inline uint16_t to_f16(float f)
{
    const uint32_t u = bits_of(f), a = u & 0x7fffffff;
    /* rounding may carry into the exponent, and past the largest exponent to infinity: both are right */
    const uint32_t rebased = a - ((uint32_t)BIAS << 23);
    const uint32_t rounded = (rebased + 0xfff + (rebased >> 13 & 1)) >> 13;
    const uint32_t normal = rounded < F16_INF ? rounded : F16_INF;
    /* the unit in the last place of .5f is that of a subnormal float16: the addition rounds */
    const uint32_t subnormal = bits_of(float_of(a) + .5f) - 0x3f000000;
    const uint32_t payload = a >> 13 & 0x3ff;
    const uint32_t nan = F16_INF | (payload ? payload : F16_QUIET); /* it must not become an infinity */

    return (uint16_t)((u >> 16 & 0x8000) | choose(a > F32_INF, nan, choose(a < F32_TINY, subnormal, normal)));
}

static inline uint16_t to_bf16(float f)
{
    const uint32_t u = bits_of(f), a = u & 0x7fffffff;
    const uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    const uint32_t nan = u >> 16 | (u >> 16 & 0x7f ? 0 : 0x40);

    return (uint16_t)(a > F32_INF ? nan : rounded);
}

float f16_to_f32(uint16_t h)
{
    return from_f16(h);
}

uint16_t f32_to_f16(float f)
{
    return to_f16(f);
}

/* As to_f16; by way of float, a value could be rounded onto a tie and then the wrong way. */
uint16_t f64_to_f16(double f)
{
    const uint64_t infinity = (uint64_t)0x7ff << 52, bias = (uint64_t)(1023 - 15) << 52;
    uint64_t u, a, h;

    memcpy(&u, &f, sizeof u);
    a = u & ~((uint64_t)1 << 63);
    if (a > infinity) {
        h = a >> 42 & 0x3ff;
        h = F16_INF | (h ? h : F16_QUIET);
    } else if (a < bias + ((uint64_t)1 << 52)) {
        double sum; /* the unit in the last place of 2^28 is that of a subnormal float16 */

        memcpy(&sum, &a, sizeof sum);
        sum += 0x1p28;
        memcpy(&h, &sum, sizeof h);
        h -= (uint64_t)(1023 + 28) << 52;
    } else {
        h = a - bias;
        h = (h + (((uint64_t)1 << 41) - 1) + (h >> 42 & 1)) >> 42;
        if (h > F16_INF)
            h = F16_INF;
    }
    return (uint16_t)((u >> 48 & 0x8000) | h);
}

float bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t f32_to_bf16(float f)
{
    return to_bf16(f);
}

void widen(enum dtype from, const void *in, float *out, int64_t n)
{
    const uint16_t *const h = in;

    switch (from) {
    case F16:
        for (int64_t k = 0; k < n; k++)
            out[k] = from_f16(h[k]);
        break;
    case BF16:
        for (int64_t k = 0; k < n; k++)
            out[k] = float_of((uint32_t)h[k] << 16);
        break;
    default:
        for (int64_t k = 0; k < n; k++)
            out[k] = small_to_f32(from, ((const uint8_t *)in)[k]);
    }
}

void narrow(enum dtype to, const float *in, void *out, int64_t n)
{
    uint16_t *const h = out;

    switch (to) {
    case F16:
        for (int64_t k = 0; k < n; k++)
            h[k] = to_f16(in[k]);
        break;
    case BF16:
        for (int64_t k = 0; k < n; k++)
            h[k] = to_bf16(in[k]);
        break;
    default:
        for (int64_t k = 0; k < n; k++)
            ((uint8_t *)out)[k] = f64_to_small(to, (double)in[k], ROUNDING_DEFAULT);
    }
}

void load_floats(enum dtype from, const void *in, int64_t at, int64_t n, float *out)
{
    const char *const first = (const char *)in + at * (int64_t)dtype_size(from);

    if (from != F32)
        widen(from, first, out, n);
    else if (n)
        memcpy(out, first, (size_t)n * sizeof *out);
}

void store_floats(enum dtype to, const float *in, int64_t n, void *out, int64_t at)
{
    char *const first = (char *)out + at * (int64_t)dtype_size(to);

    if (to != F32)
        narrow(to, in, first, n);
    else if (n)
        memcpy(first, in, (size_t)n * sizeof *in);
}
