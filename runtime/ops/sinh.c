/* Sinh, https://onnx.ai/onnx/operators/onnx__Sinh.html
 *
 *   y = sinh(x)        dx = dy * cosh(x) */
#define OPERATOR   "Sinh"
#define NAME       sinh
#define VALUE      SINH(x)
#define DX_OF_X    (dy * COSH(x))
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Cosh", s->of);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_sinh = {
    .name = "Sinh",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(9, "T: floats"), { 0 } },
};

#endif
