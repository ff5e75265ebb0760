/* Tanh, https://onnx.ai/onnx/operators/onnx__Tanh.html
 *
 *   y = tanh(x)        dx = dy * (1 - y^2) */
#define OPERATOR   "Tanh"
#define NAME       tanh
#define VALUE      TANH(x)
#define DX_OF_Y    (dy * (1 - y * y))
#define SLOPE_OF_Y slope
#define RISES      true
#define WORK       EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_2(s, "Sub", slope_number(s, 1), slope_2(s, "Mul", s->of, s->of));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_tanh = {
    .name = "Tanh",
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
