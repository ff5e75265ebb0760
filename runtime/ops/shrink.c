/* Shrink, https://onnx.ai/onnx/operators/onnx__Shrink.html
 *
 *   y = x < -lambd ? x + bias : x > lambd ? x - bias : 0        dx = |x| > lambd ? dy : 0
 *
 * Of integers it is computed in double and truncated. lambd is `alpha` in struct numbers, bias `beta`. */
#include "ops/formula.h"

#ifndef FORMULA_LEVEL
/* Of an integer, modulo 2^64. What is in no range is at its end. */
static uint64_t shrunk(double x, const struct numbers *a)
{
    const double lambd = (double)a->alpha, bias = (double)a->beta;
    const double y = x < -lambd ? x + bias : x > lambd ? x - bias : 0;

    if (y < 0)
        return y < -0x1p63 ? (uint64_t)1 << 63 : (uint64_t)(int64_t)y;
    return y < 0x1p64 ? (uint64_t)y : y >= 0x1p64 ? UINT64_MAX : 0;
}
#endif

#define OPERATOR "Shrink"
#define NAME     shrink
#define VALUE    (x < -alpha ? x + beta : x > alpha ? x - beta : 0)
#define INTEGER  shrunk((double)x, &s->numbers)
#define INTS
#define UINTS
#define DX_OF_X (x < -alpha || x > alpha ? dy : 0)
#define NUMBERS
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    const double alpha = (double)s->numbers.alpha;

    *s->where = slope_2(s, "Or", slope_2(s, "Less", s->of, slope_number(s, -alpha)),
                        slope_2(s, "Greater", s->of, slope_number(s, alpha)));
    return NULL;
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "lambd", 0.5f);
    a->beta = attr_float(p, "bias", 0);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = { { "f32[2,3,4]~", "lambd=0.8 bias=0.3", "f32[2,3,4]", 1 },
                                        { "f64[6]{-2,-0.5,-0.4,0.4,0.6,3}", "", "f64[6]", 0 },
                                        { "f64[5,7]~", "bias=-1.5", "f64[5,7]", 1 },
                                        { "f16[3,5]~", "bias=0.25", "f16[3,5]", 0 },
                                        { "f32[]~", "", "f32[]", 1 },
                                        { "f32[0,3]", "", "f32[0,3]", 0 },
                                        { "f32[40001]", "lambd=0.1", "f32[40001]", 0 },
                                        { "i8[5]{-128,-2,-1,1,127}", "lambd=1.5 bias=1.5", "i8[5]", 0 },
                                        { "i16[7]", "bias=2.0", "i16[7]", 0 },
                                        { "i32[7]", "lambd=1e30", "i32[7]", 0 },
                                        { "i64[7]", "bias=1e30", "i64[7]", 0 },
                                        { "u8[4]{0,1,2,255}", "lambd=1.5 bias=1.5", "u8[4]", 0 },
                                        { "u16[7]", "bias=-1.0", "u16[7]", 0 },
                                        { "u32[7]", "", "u32[7]", 0 },
                                        { "u64[7]", "bias=3.5", "u64[7]", 0 },
                                        { 0 } };

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, .attrs_size = sizeof(struct numbers),     \
        .parse = parse, UNARY_PARTS, .cases = cases                                                                    \
    }

const struct op op_shrink = {
    .name = "Shrink",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(9, "T: floats ints uints"), { 0 } },
};

#endif
