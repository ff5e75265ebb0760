/* QLinearReduceMean of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   reduced = QuantizeLinear(ReduceMean(DequantizeLinear(data)))
 *
 * over `axes`, or over all where there are none. onnxruntime rounds otherwise on the way: its result may be one quantum
 * away. */
#include "ops/requantized.h"

struct qlinear_reduce {
    struct ints axes;
    bool keep;
};

static bool parse(struct parse *p, void *attrs)
{
    struct qlinear_reduce *a = attrs;

    a->keep = attr_int(p, "keepdims", 1) != 0;
    return attr_ints(p, "axes", &a->axes);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct qlinear_reduce *a = n->attrs;
    struct value *x = emit_dequantized(e, n, REQUANTIZED_X, REQUANTIZED_X_SCALE, REQUANTIZED_X_ZERO);

    x = emit(e, "ReduceMean", a->keep ? "keepdims=1" : "keepdims=0", 2, x,
             a->axes.count ? emit_ints(e, a->axes.count, a->axes.v) : NULL);
    out[0] = emit_requantized(e, n, x, REQUANTIZED_X, REQUANTIZED_Y_SCALE, REQUANTIZED_Y_ZERO);
    return out[0];
}

static const struct op_case cases[] = {
    { "u8[2,3,4] f32[]+ u8[] f32[]+ u8[]", "axes=[1] keepdims=1", "u8[2,1,4]", 0 },
    { "i8[2,3,4] f32[]+ - f32[]+", "axes=[-1,0] keepdims=0", "i8[3]", 0 },
    { "i8[2,3,4] f32[1]+ i8[1] f32[1]+ i8[1]", "keepdims=0", "i8[]", 0 },
    { "u8[0,4] f32[]+ u8[] f32[]+ u8[]", "axes=[1] keepdims=1", "u8[0,1]", 0 },
    { 0 },
};

const struct op op_qlinear_reduce_mean = {
    .name = "QLinearReduceMean",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature =
                  "T data, F data_scale, T data_zero_point?, F reduced_scale, T reduced_zero_point? -> T reduced",
              .types = "T: i8 u8; F: f32",
              .attrs_size = sizeof(struct qlinear_reduce),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
