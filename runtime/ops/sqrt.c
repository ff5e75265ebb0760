/* Sqrt, https://onnx.ai/onnx/operators/onnx__Sqrt.html
 *
 *   y = sqrt(x)        dx = dy / (2 y) */
#define OPERATOR   "Sqrt"
#define NAME       sqrt
#define VALUE      SQRT(x)
#define DX_OF_Y    (dy / (2 * y))
#define WORK       DIVISION
#define SLOPE_OF_Y slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_2(s, "Div", slope_number(s, .5), s->of);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = unary_cases_positive         \
    }

const struct op op_sqrt = {
    .name = "Sqrt",
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
