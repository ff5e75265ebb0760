/* Tan, https://onnx.ai/onnx/operators/onnx__Tan.html
 *
 *   y = tan(x)        dx = dy * (1 + y^2) */
#define OPERATOR   "Tan"
#define NAME       tan
#define VALUE      TAN(x)
#define DX_OF_Y    (dy * (1 + y * y))
#define WORK       EXPONENTIAL
#define SLOPE_OF_Y slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_square_and_unit(s);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_tan = {
    .name = "Tan",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(7, "T: floats"), { 0 } },
};

#endif
