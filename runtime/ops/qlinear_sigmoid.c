/* QLinearSigmoid of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = saturate(round(sigmoid(X_scale (X - X_zero_point)) / Y_scale) + Y_zero_point) */
#include "ops/qlinear.h"
#include <math.h>

static float sigmoid(float x, const void *attrs)
{
    (void)attrs;
    return (float)(1 / (1 + exp(-(double)x)));
}

static bool run(struct step *s)
{
    return qlinear_unary_run(s, sigmoid);
}

static const struct op_case cases[] = {
    { "u8[2,3] f32[]+ u8[] f32[]{0.00390625} u8[]", "", "u8[2,3]", 0 },
    { "i8[40001] f32[1]+ i8[1] f32[1]{0.00390625} i8[1]{-128}", "", "i8[40001]", 0 },
    { "u8[] f32[]+ - f32[]+", "", "u8[]", 0 },
    { "i8[0,3] f32[]+ - f32[]+ -", "", "i8[0,3]", 0 },
    { 0 },
};

const struct op op_qlinear_sigmoid = {
    .name = "QLinearSigmoid",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { QLINEAR_UNARY_PARTS, .cases = cases }, { 0 } },
};
