/* Sigmoid, https://onnx.ai/onnx/operators/onnx__Sigmoid.html
 *
 *   y = 1 / (1 + exp(-x))        dx = dy * y * (1 - y) */
#define NAME  swish
#define VALUE (x * SIGMOID(x))
#define WORK  EXPONENTIAL
#include "ops/unary_formula.h"

#define OPERATOR   "Sigmoid"
#define NAME       sigmoid
#define VALUE      SIGMOID(x)
#define DX_OF_Y    (dy * (y * (1 - y)))
#define RISES      true
#define TIMES_X    formula_swish
#define WORK       EXPONENTIAL
#define SLOPE_OF_Y slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_2(s, "Mul", s->of, slope_2(s, "Sub", slope_number(s, 1), s->of));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = unary_cases                  \
    }

const struct op op_sigmoid = {
    .name = "Sigmoid",
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
