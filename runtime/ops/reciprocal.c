/* Reciprocal, https://onnx.ai/onnx/operators/onnx__Reciprocal.html
 *
 *   y = 1 / x        dx = -dy * y^2 */
#define OPERATOR   "Reciprocal"
#define NAME       reciprocal
#define VALUE      (1 / x)
#define DX_OF_Y    (-dy * y * y)
#define WORK       DIVISION
#define SLOPE_OF_Y slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Neg", slope_2(s, "Mul", s->of, s->of));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = unary_cases_positive         \
    }

const struct op op_reciprocal = {
    .name = "Reciprocal",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
