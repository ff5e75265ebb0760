/* Sin, https://onnx.ai/onnx/operators/onnx__Sin.html
 *
 *   y = sin(x)        dx = dy * cos(x)
 *
 * By libm: what is far from 0 takes more than a polynomial. */
#define OPERATOR   "Sin"
#define NAME       sin
#define VALUE      SIN(x)
#define DX_OF_X    (dy * COS(x))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Cos", s->of);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_sin = {
    .name = "Sin",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(7, "T: floats"), { 0 } },
};

#endif
