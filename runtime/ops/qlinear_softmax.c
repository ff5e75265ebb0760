/* QLinearSoftmax of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = QuantizeLinear(Softmax(DequantizeLinear(X)))
 *
 * along the axis, or, where `opset` is below 13, over all dimensions from the axis on. onnxruntime looks up exponentials in a
 * table, and divides by the whole part of 1 / y_scale: its result may be one quantum away. (Of one number, whose exponential
 * is no number in that table, it makes 0.) */
#include "ops/requantized.h"
#include <stdio.h>

struct qlinear_softmax {
    int64_t axis;
    bool flat;
};

static bool parse(struct parse *p, void *attrs)
{
    struct qlinear_softmax *a = attrs;
    const int64_t opset = attr_int(p, "opset", 0);

    a->flat = opset < 13;
    a->axis = attr_int(p, "axis", a->flat ? 1 : -1);
    return opset >= 1 || parse_error(p, "opset is %lld, must be at least 1", (long long)opset);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct qlinear_softmax *a = n->attrs;
    struct value *x = emit_dequantized(e, n, REQUANTIZED_X, REQUANTIZED_X_SCALE, REQUANTIZED_X_ZERO), *y;
    char attrs[32];

    snprintf(attrs, sizeof attrs, "axis=%lld", (long long)a->axis);
    if (a->flat)
        y = emit(e, "Reshape", "allowzero=1", 2, emit(e, "Softmax", "axis=-1", 1, emit(e, "Flatten", attrs, 1, x)),
                 emit(e, "Shape", "", 1, x));
    else
        y = emit(e, "Softmax", attrs, 1, x);
    out[0] = emit_requantized(e, n, y, REQUANTIZED_X, REQUANTIZED_Y_SCALE, REQUANTIZED_Y_ZERO);
    return out[0];
}

static const struct op_case cases[] = {
    { "u8[2,3,4] f32[]+ u8[] f32[]{0.00390625} u8[]{0}", "opset=13", "u8[2,3,4]", 0 },
    { "i8[2,3,4] f32[1]+ - f32[1]{0.00390625} i8[1]{-128}", "opset=13 axis=1", "i8[2,3,4]", 0 },
    { "u8[2,3,4] f32[]+ u8[] f32[]{0.00390625} u8[]{0}", "opset=12", "u8[2,3,4]", 0 },
    { "i8[2,3,4] f32[]+ i8[] f32[]{0.00390625} i8[]{-128}", "opset=11 axis=-1", "i8[2,3,4]", 0 },
    { "u8[0,4] f32[]+ u8[] f32[]+ u8[]", "opset=13", "u8[0,4]", 0 },
    { 0 },
};

const struct op op_qlinear_softmax = {
    .name = "QLinearSoftmax",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, F X_scale, T x_zero_point?, F y_scale, T y_zero_point -> T Y",
                                       .types = "T: i8 u8; F: f32",
                                       .attrs_size = sizeof(struct qlinear_softmax),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
