/* Softplus, https://onnx.ai/onnx/operators/onnx__Softplus.html
 *
 *   y = ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|))        dx = dy / (1 + exp(-x))
 *
 * NaN stays NaN, by way of the logarithm. */
#define OPERATOR   "Softplus"
#define NAME       softplus
#define VALUE      SOFTPLUS(x)
#define DX_OF_X    (dy * SIGMOID(x))
#define RISES      true
#define WORK       EXPONENTIAL
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_1(s, "Sigmoid", s->of);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = unary_cases                  \
    }

const struct op op_softplus = {
    .name = "Softplus",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
