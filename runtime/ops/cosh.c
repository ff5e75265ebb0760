/* Cosh, https://onnx.ai/onnx/operators/onnx__Cosh.html
 *
 *   y = cosh(x)        dx = dy * sinh(x) */
#define OPERATOR   "Cosh"
#define NAME       cosh
#define VALUE      COSH(x)
#define DX_OF_X    (dy * SINH(x))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Sinh", s->of);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_cosh = {
    .name = "Cosh",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(9, "T: floats"), { 0 } },
};

#endif
