/* Mish, https://onnx.ai/onnx/operators/onnx__Mish.html
 *
 *   y = x * tanh(softplus(x))        dx = dy * (t + x * (1 - t^2) * sigmoid(x)), t = tanh(softplus(x))
 *
 * See Misra, arXiv:1908.08681. */
#define OPERATOR   "Mish"
#define NAME       mish
#define VALUE      (x * TANH(SOFTPLUS(x)))
#define SLOPE(t)   (t + x * (1 - t * t) * SIGMOID(x))
#define DX_OF_X    (dy * SLOPE(TANH(SOFTPLUS(x))))
#define WORK       EXPONENTIAL
#define RISES      false
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    struct value *const t = slope_1(s, "Tanh", slope_1(s, "Softplus", s->of));
    struct value *const inner = slope_2(s, "Sub", slope_number(s, 1), slope_2(s, "Mul", t, t));
    struct value *const outer = slope_2(s, "Mul", s->of, slope_1(s, "Sigmoid", s->of));

    return slope_2(s, "Add", t, slope_2(s, "Mul", inner, outer));
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = unary_cases                  \
    }

const struct op op_mish = {
    .name = "Mish",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(18, "T: floats"), { 0 } },
};

#endif
