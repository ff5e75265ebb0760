/* Erf, https://onnx.ai/onnx/operators/onnx__Erf.html
 *
 *   y = 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x        dx = dy * 2 / sqrt(pi) * exp(-x^2)
 *
 * Of integers it is computed in double, rounded to float and truncated, as the reference does: 0, 1 or -1. */
#define OPERATOR "Erf"
#define NAME     erf
#define VALUE    ERF(x)
#define INTEGER  ((float)ERF((double)x))
#define INTS
#define UINTS
#define DX_OF_X    (dy * ((T)1.12837916709551257 * EXP(-x * x)))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    struct value *const power = slope_1(s, "Exp", slope_1(s, "Neg", slope_2(s, "Mul", s->of, s->of)));

    return slope_2(s, "Mul", power, slope_number(s, 1.12837916709551257));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 }, { "f64[5,7]", "", "f64[5,7]", 1 }, { "f16[3,5]", "", "f16[3,5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },   { "f32[]", "", "f32[]", 1 },       { "f32[0,3]", "", "f32[0,3]", 0 },
    { "i8[7]", "", "i8[7]", 0 },           { "i16[7]", "", "i16[7]", 0 },     { "i32[7]", "", "i32[7]", 0 },
    { "i64[7]", "", "i64[7]", 0 },         { "u8[7]", "", "u8[7]", 0 },       { "u16[7]", "", "u16[7]", 0 },
    { "u32[7]", "", "u32[7]", 0 },         { "u64[7]", "", "u64[7]", 0 },     { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = cases               \
    }

const struct op op_erf = {
    .name = "Erf",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "T: floats bf16"), ROW(9, "T: floats ints uints"), { 0 } },
};

#endif
