/* QLinearLeakyRelu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = saturate(round(f(X_scale (X - X_zero_point)) / Y_scale) + Y_zero_point), f(x) = x < 0 ? alpha x : x */
#include "ops/qlinear.h"

static bool parse(struct parse *p, void *attrs)
{
    *(float *)attrs = attr_float(p, "alpha", .01f);
    return true;
}

static float leaky_relu(float x, const void *alpha)
{
    return x < 0 ? *(const float *)alpha * x : x;
}

static bool run(struct step *s)
{
    return qlinear_unary_run(s, leaky_relu);
}

static const struct op_case cases[] = {
    { "u8[2,3] f32[]+ u8[]{2} f32[]+ u8[]", "", "u8[2,3]", 0 },
    { "i8[40001] f32[1]+ i8[1] f32[1]+ i8[1]", "alpha=.3", "i8[40001]", 0 },
    { "i8[] f32[]+ - f32[]+", "", "i8[]", 0 },
    { "i8[0,3] f32[]+ - f32[]+ -", "", "i8[0,3]", 0 },
    { 0 },
};

const struct op op_qlinear_leaky_relu = {
    .name = "QLinearLeakyRelu",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){ { QLINEAR_UNARY_PARTS, .attrs_size = sizeof(float), .parse = parse, .cases = cases },
                                 { 0 } },
};
