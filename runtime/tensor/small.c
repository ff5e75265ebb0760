#include "tensor/small.h"
#include <string.h>

/* -- files -- */

int64_t packed_bytes(enum dtype d, int64_t n)
{
    const int64_t bits = dtype_traits[d].bits;

    if (!dtype_is_packed(d))
        return n < 0 ? n : n * (int64_t)dtype_size(d);
    return n < 0 ? n : n / 8 * bits + (n % 8 * bits + 7) / 8; /* n * bits might not fit */
}

void small_unpack(enum dtype d, const void *from, void *to, int64_t n)
{
    const unsigned char *const p = from;
    const int bits = dtype_traits[d].bits;
    const bool integer = dtype_traits[d].class == CLASS_INT;
    unsigned held = 0;
    int count = 0; /* of bits held */
    int64_t at = 0;

    for (int64_t k = 0; k < n; k++) {
        uint8_t v;

        if (count < bits) {
            held |= (unsigned)p[at++] << count;
            count += 8;
        }
        v = (uint8_t)(held & ((1u << bits) - 1));
        ((uint8_t *)to)[k] = integer ? (uint8_t)small_of_int(d, v) : v;
        held >>= bits;
        count -= bits;
    }
}

void small_pack(enum dtype d, const void *from, void *to, int64_t n)
{
    unsigned char *const p = to;
    const int bits = dtype_traits[d].bits;
    unsigned held = 0;
    int count = 0;
    int64_t at = 0;

    for (int64_t k = 0; k < n; k++) {
        held |= (((const uint8_t *)from)[k] & ((1u << bits) - 1)) << count;
        count += bits;
        if (count >= 8) {
            p[at++] = (unsigned char)held;
            held >>= 8;
            count -= 8;
        }
    }
    if (count)
        p[at] = (unsigned char)held;
}

/* -- formats -- */

/* https://onnx.ai/onnx/technical/float8.html, https://onnx.ai/onnx/technical/float4.html and the OCP specification of
 * microscaling formats: sign, exponent, fraction. */
struct format {
    int fraction, bias; /* bits; what is taken from an exponent */
    uint8_t most;       /* the largest number */
    uint8_t over;       /* what is larger: infinity, or no number */
    uint8_t nan;        /* 0: there is none */
    bool one_zero;      /* -0 is no number, whose sign says nothing */
};

static const struct format formats[DTYPES] = {
    [F8E4M3FN] = { 3, 7, 0x7e, 0x7f, 0x7f, false }, [F8E4M3FNUZ] = { 3, 8, 0x7f, 0x80, 0x80, true },
    [F8E5M2] = { 2, 15, 0x7b, 0x7c, 0x7e, false },  [F8E5M2FNUZ] = { 2, 16, 0x7f, 0x80, 0x80, true },
    [F6E2M3] = { 3, 1, 0x1f, 0x1f, 0, false },      [F6E3M2] = { 2, 3, 0x1f, 0x1f, 0, false },
    [F4E2M1] = { 1, 1, 0x07, 0x07, 0, false },
};

enum { E8M0_BIAS = 127, E8M0_MOST = 0xfe, E8M0_NAN = 0xff };

static uint8_t sign_bit(enum dtype d)
{
    return (uint8_t)(1 << (dtype_traits[d].bits - 1));
}

static float float_of(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

/* 2^e for a normal float. */
static float power(int e)
{
    return float_of((uint32_t)(e + 127) << 23);
}

static float from_e8m0(uint8_t bits)
{
    if (bits == E8M0_NAN)
        return float_of(0x7fc00000);
    return bits ? power(bits - E8M0_BIAS) : 0x1p-127f;
}

float small_to_f32(enum dtype d, uint8_t bits)
{
    const struct format *f = &formats[d];
    const uint8_t sign = sign_bit(d), a = bits & (uint8_t)(sign - 1);
    const int exponent = a >> f->fraction, fraction = a & ((1 << f->fraction) - 1);
    float size;

    if (d == F8E8M0)
        return from_e8m0(bits);
    if (f->one_zero ? bits == f->nan : a > f->most)
        size = float_of(a == f->over && f->over != f->nan ? 0x7f800000 : 0x7fc00000);
    else if (exponent)
        size = (float)(fraction + (1 << f->fraction)) * power(exponent - f->bias - f->fraction);
    else
        size = (float)fraction * power(1 - f->bias - f->fraction);
    return bits & sign && !(f->one_zero && bits == f->nan) ? -size : size;
}

/* -- rounding -- */

enum { F64_FRACTION = 52, F64_BIAS = 1023 };
static const uint64_t F64_INF = (uint64_t)0x7ff << F64_FRACTION;

static double double_of(uint64_t u)
{
    double v;

    memcpy(&v, &u, sizeof v);
    return v;
}

static uint64_t bits_of(double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof u);
    return u;
}

/* The bits of a finite a >= 0 (those of a double), as if exponents had no end. */
static uint64_t round_to(const struct format *f, uint64_t a)
{
    const int dropped = F64_FRACTION - f->fraction;
    uint64_t rebased;

    if (a < (uint64_t)(F64_BIAS - f->bias + 1) << F64_FRACTION) { /* below the normal numbers */
        /* the unit in the last place of this is that of a subnormal number: the addition rounds */
        const uint64_t one = (uint64_t)(F64_BIAS + 1 - f->bias + dropped) << F64_FRACTION;

        return bits_of(double_of(a) + double_of(one)) - one;
    }
    rebased = a - ((uint64_t)(F64_BIAS - f->bias) << F64_FRACTION);
    return (rebased + (((uint64_t)1 << (dropped - 1)) - 1) + (rebased >> dropped & 1)) >> dropped;
}

/* The power of two; the sign is not looked at, the standard leaves open what becomes of it. What lies outside of the
 * range becomes its end, or no number. */
static uint8_t to_e8m0(uint64_t a, struct rounding rounding)
{
    const uint64_t half = (uint64_t)1 << (F64_FRACTION - 1), fraction = a & (2 * half - 1);
    int64_t exponent = (int64_t)(a >> F64_FRACTION) - F64_BIAS + E8M0_BIAS;

    if (a > F64_INF)
        return E8M0_NAN;
    if (exponent < 0)
        return rounding.saturate ? 0 : E8M0_NAN;
    exponent += rounding.e8m0 == ROUND_UP ? fraction > 0 : rounding.e8m0 == ROUND_NEAREST && fraction >= half;
    if (exponent > E8M0_MOST)
        return rounding.saturate ? E8M0_MOST : E8M0_NAN;
    return (uint8_t)exponent;
}

uint8_t f64_to_small(enum dtype d, double v, struct rounding rounding)
{
    const struct format *f = &formats[d];
    const uint64_t u = bits_of(v), a = u & ~((uint64_t)1 << 63);
    const uint8_t sign = u == a ? 0 : sign_bit(d);
    uint64_t code;

    if (d == F8E8M0)
        return to_e8m0(a, rounding);
    if (a > F64_INF)
        return f->one_zero || !f->nan ? f->nan : f->nan | sign;
    code = round_to(f, a);
    if (code > f->most)
        code = rounding.saturate ? f->most : f->over;
    if (f->one_zero && (!code || code == f->nan))
        return (uint8_t)code;
    return (uint8_t)code | sign;
}
