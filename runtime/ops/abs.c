/* Abs, https://onnx.ai/onnx/operators/onnx__Abs.html
 *
 *   y = |x|        dx = dy * sign(x)
 *
 * At 0 the gradient is 0. The smallest integer stays what it is. */
#define OPERATOR "Abs"
#define NAME     abs
#define VALUE    ABS(x)
#define INTEGER  (x < zero ? -(W)x : (W)x)
#define INTS
#define UINTS
#define DX_OF_X    (x > 0 ? dy : x < 0 ? -dy : 0)
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    *s->where = slope_2(s, "Greater", slope_1(s, "Abs", s->of), slope_number(s, 0));
    return slope_1(s, "Sign", s->of);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 }, { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },     { "bf16[600]", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },           { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f32[40001]", "", "f32[40001]", 0 },  { "i8[4]{-128,-1,0,127}", "", "i8[4]", 0 },
    { "i16[7]", "", "i16[7]", 0 },          { "i32[7]", "", "i32[7]", 0 },
    { "i64[7]", "", "i64[7]", 0 },          { "u8[7]", "", "u8[7]", 0 },
    { "u16[7]", "", "u16[7]", 0 },          { "u32[7]", "", "u32[7]", 0 },
    { "u64[7]", "", "u64[7]", 0 },          { 0 },
};

static const struct op_case cases_1[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "consumed_inputs=[0]", "f64[5,7]", 1 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = cases                        \
    }

const struct op op_abs = {
    .name = "Abs",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16 ints uints"),
            ROW(6, "T: floats ints uints"),
            { .since = 1, .signature = "T X -> T Y", .types = "T: floats", UNARY_PARTS, .cases = cases_1 },
            { 0 },
        },
};

#endif
