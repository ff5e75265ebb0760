/* Neg, https://onnx.ai/onnx/operators/onnx__Neg.html
 *
 *   y = -x        dx = -dy
 *
 * The smallest integer stays what it is. */
#define OPERATOR "Neg"
#define NAME     neg
#define VALUE    (-x)
#define INTEGER  (-(W)x)
#define INTS
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);

    if (wants(b, 0))
        give(b, 0, emit(e, "Neg", "", 1, upstream(b, 0)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "f64[5,7]", "", "f64[5,7]", 1 },
    { "f16[3,5]", "", "f16[3,5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },
    { "f32[]", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f64[1000]", "", "f64[1000]", 0 },
    { "f32[40001]", "", "f32[40001]", 0 },
    { "i8[7]", "", "i8[7]", 0 },
    { "i16[7]", "", "i16[7]", 0 },
    { "i32[7]", "", "i32[7]", 0 },
    { "i64[7]", "", "i64[7]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = cases                        \
    }

const struct op op_neg = {
    .name = "Neg",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16 ints"),
            ROW(6, "T: floats ints"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
