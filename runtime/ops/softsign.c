/* Softsign, https://onnx.ai/onnx/operators/onnx__Softsign.html
 *
 *   y = x / (1 + |x|)        dx = dy / (1 + |x|)^2
 *
 * Of infinities it is NaN, as the formula says. */
#define OPERATOR   "Softsign"
#define NAME       softsign
#define VALUE      (x / (1 + ABS(x)))
#define DX_OF_X    (dy / ((1 + ABS(x)) * (1 + ABS(x))))
#define WORK       DIVISION
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    struct value *const by = slope_1(s, "Reciprocal", slope_2(s, "Add", slope_number(s, 1), slope_1(s, "Abs", s->of)));

    return slope_2(s, "Mul", by, by);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_softsign = {
    .name = "Softsign",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
