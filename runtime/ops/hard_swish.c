/* HardSwish, https://onnx.ai/onnx/operators/onnx__HardSwish.html
 *
 *   y = x * max(0, min(1, x / 6 + 1 / 2))        dx = dy * (0 below -3, 1 above 3, else x / 3 + 1 / 2)
 *
 * At the two bends the gradient is that of the middle. */
#define OPERATOR   "HardSwish"
#define NAME       hard_swish
#define LINE       (x * (T)0.16666666666666667 + (T)0.5)
#define VALUE      (x * (LINE < 0 ? 0 : LINE > 1 ? 1 : LINE))
#define DX_OF_X    (dy * (x < -3 ? 0 : x > 3 ? 1 : x * (T)0.33333333333333333 + (T)0.5))
#define RISES      false
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    struct value *const below = slope_2(s, "Less", s->of, slope_number(s, -3));
    struct value *const above = slope_2(s, "Greater", s->of, slope_number(s, 3));
    struct value *const line = slope_2(s, "Add", slope_2(s, "Div", s->of, slope_number(s, 3)), slope_number(s, .5));

    return slope_where(s, below, slope_number(s, 0), slope_where(s, above, slope_number(s, 1), line));
}

/* -- test -- */

static const struct op_case cases[] = { { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
                                        { "f64[8]{-9,-4,-2.9,-1.5,0,1,2.9,3.5}", "", "f64[8]", 1 },
                                        { "f16[3,5]", "", "f16[3,5]", 0 },
                                        { "f32[]", "", "f32[]", 1 },
                                        { "f32[0,3]", "", "f32[0,3]", 0 },
                                        { "f32[40001]", "", "f32[40001]", 0 },
                                        { 0 } };

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = cases                        \
    }

const struct op op_hard_swish = {
    .name = "HardSwish",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(14, "T: floats"), { 0 } },
};

#endif
