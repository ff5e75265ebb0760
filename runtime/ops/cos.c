/* Cos, https://onnx.ai/onnx/operators/onnx__Cos.html
 *
 *   y = cos(x)        dx = -dy * sin(x)
 *
 * By libm: what is far from 0 takes more than a polynomial. */
#define OPERATOR   "Cos"
#define NAME       cos
#define VALUE      COS(x)
#define DX_OF_X    (-dy * SIN(x))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Neg", slope_1(s, "Sin", s->of));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_cos = {
    .name = "Cos",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(7, "T: floats"), { 0 } },
};

#endif
