/* Acos, https://onnx.ai/onnx/operators/onnx__Acos.html
 *
 *   y = acos(x)        dx = -dy / sqrt(1 - x^2)
 *
 * NaN outside [-1, 1]. 1 - x^2 as (1 - x) (1 + x) keeps its digits next to 1. */
#define OPERATOR "Acos"
#define NAME     acos
#define VALUE    ACOS(x)
#define DX_OF_X  (-dy / SQRT((1 - x) * (1 + x)))
#define WORK     EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[5]~", "", "f32[5]", 1 },
    { "f32[2,6]{-.95,-.6,-.3,-.05,0,.01,.2,.5,.7,.9,.4,-.8}", "", "f32[2,6]", 1 },
    { "f64[5]{-.99,-.25,0,.5,.98}", "", "f64[5]", 1 },
    { "f64[4]{-1.5,2,nan,-inf}", "", "f64[4]", 0 },
    { "f32[6]{1,-1,1.5,-2,nan,inf}", "", "f32[6]", 0 },
    { "f32[]{.3}", "", "f32[]", 1 },
    { "f16[5]{-1,-.5,0,.5,1}", "", "f16[5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f32[40001]", "", "f32[40001]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = cases               \
    }

const struct op op_acos = {
    .name = "Acos",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(7, "T: floats"), { 0 } },
};

#endif
