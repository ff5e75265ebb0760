/* QLinearAveragePool of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = QuantizeLinear(AveragePool(DequantizeLinear(X)))
 *
 * of [N, C, spatial...], or, with channels_last, of [N, spatial..., C]. onnxruntime rounds otherwise on the way: its result may
 * be one quantum away. */
#include "ops/pooling.h"
#include "ops/registry.h"
#include "ops/requantized.h"

struct qlinear_pool {
    struct pooling_attrs pooling;
    bool channels_last; /* as the file has it */
};

static bool parse(struct parse *p, void *attrs)
{
    struct qlinear_pool *a = attrs;

    a->pooling.count_include_pad = attr_int(p, "count_include_pad", 0) != 0;
    a->channels_last = attr_int(p, "channels_last", 0) != 0;
    return window_parse(p, &a->pooling.window, WINDOW_KERNEL | WINDOW_CEIL);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct qlinear_pool *a = n->attrs;
    struct value *x = emit_dequantized(e, n, REQUANTIZED_X, REQUANTIZED_X_SCALE, REQUANTIZED_X_ZERO), *y;

    if (a->channels_last)
        x = emit_channels_second(e, x);
    if (!emit_private(e, &op_average_pool, &a->pooling, 1, &y, NULL, 1, &x))
        return false;
    if (a->channels_last)
        y = emit_channels_last(e, y);
    out[0] = emit_requantized(e, n, y, REQUANTIZED_X, REQUANTIZED_Y_SCALE, REQUANTIZED_Y_ZERO);
    return out[0];
}

static const struct op_case cases[] = {
    { "u8[2,3,5,6] f32[]+ u8[] f32[]+ u8[]", "kernel_shape=[2,3] pads=[1,1,0,1] strides=[2,1]", "u8[2,3,3,6]", 0 },
    { "i8[2,5,6,3] f32[]+ - f32[]+", "kernel_shape=[2,3] channels_last=1 count_include_pad=1 pads=[1,1,0,1]",
      "i8[2,5,6,3]", 0 },
    { "i8[2,3,7] f32[1]+ i8[1] f32[1]+ i8[1]", "kernel_shape=[2] ceil_mode=1 strides=[2]", "i8[2,3,4]", 0 },
    { "u8[1,3,4,5] f32[]+ u8[] f32[]+ u8[]", "kernel_shape=[2,2] auto_pad='SAME_UPPER'", "u8[1,3,4,5]", 0 },
    { "u8[0,3,5] f32[]+ u8[] f32[]+ u8[]", "kernel_shape=[2]", "u8[0,3,4]", 0 },
    { 0 },
};

const struct op op_qlinear_average_pool = {
    .name = "QLinearAveragePool",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){ { .since = 1,
                                   .signature = "T X, F x_scale, T x_zero_point?, F y_scale, T y_zero_point? -> T Y",
                                   .types = "T: i8 u8; F: f32",
                                   .attrs_size = sizeof(struct qlinear_pool),
                                   .parse = parse,
                                   .expand = expand,
                                   .cases = cases },
                                 { 0 } },
};
