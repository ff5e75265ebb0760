/* QLinearConv, https://onnx.ai/onnx/operators/onnx__QLinearConv.html
 *
 *   y = saturate(round((sum + B[o]) * (x_scale * w_scale[o] / y_scale)) + y_zero_point)
 *   sum = sum over c, t of (w[o, c, t] - w_zero_point[o]) (x[n, g(o) + c, p * stride + t * dilation - pad] - x_zero_point)
 *
 * Sums are int32, which wraps around; of two nearest integers round takes the even one. What lies in the padding is no
 * part of a sum. Scale and zero point of w are one number, or one for each output channel.
 *
 * The standard leaves open in what precision the factor and its product with the sum are computed: in float, as
 * onnxruntime does, to the bit. (The reference multiplies in double, and adds the zero point before it rounds: what is a
 * tie comes out on the other side, if the zero point is odd.) */
#include "ops/cost.h"
#include "ops/layout.h"
#include "ops/quantized.h"
#include "ops/rank.h"
#include "ops/rows.h"

enum { X, X_SCALE, X_ZERO_POINT, W = QLINEAR_CONV_W, W_SCALE, W_ZERO_POINT, Y_SCALE, Y_ZERO_POINT, B };

static const struct quantized_inputs inputs = {
    .a = X, .a_zero = X_ZERO_POINT, .b = W, .b_zero = W_ZERO_POINT, .a_name = "x", .b_name = "w", .bias = B
};

static bool parse(struct parse *p, void *attrs)
{
    return conv_parse(p, attrs);
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct conv_attrs *a = attrs;

    a->channels_last = (rank == 3 || rank == 4) && quantized_conv_goes_last(n, &inputs);
    return a->channels_last;
}

static int rank(const struct node *n, int k)
{
    const int x = known_input(n, X).rank;

    (void)k;
    return x < 0 ? known_input(n, W).rank : x;
}

static bool infer(struct infer *i)
{
    const struct conv_attrs *a = infer_attrs(i);
    const struct tensor *w = typed_in(i, W);

    const enum dtype y = typed_in(i, Y_ZERO_POINT)->dtype;

    return (a->channels_last ? quantized_conv_last_infer(i, &inputs, y) : quantized_conv_infer(i, &inputs, y, 0)) &&
           has_one_value(i, X_SCALE, "x_scale") && has_values(i, W_SCALE, "w_scale", w->dims[0], "output channel") &&
           has_one_value(i, Y_SCALE, "y_scale") && has_one_value(i, Y_ZERO_POINT, "y_zero_point");
}

static bool run(struct step *s)
{
    struct integer_result r = {
        .y = s->out[0]->data,
        .a_scale = s->in[W_SCALE]->data,
        .b_scale = s->in[X_SCALE]->data,
        .a_scales = tensor_count(s->in[W_SCALE]),
        .b_scales = 1,
    };

    quantized_again(&r, *(const float *)s->in[Y_SCALE]->data, s->in[Y_ZERO_POINT]);
    return ((const struct conv_attrs *)s->attrs)->channels_last ? quantized_conv_last_run(s, &inputs, &r)
                                                                : quantized_conv_run(s, &inputs, &r, s->scratch);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    const struct tensor y = layout_onnx(((const struct conv_attrs *)n->attrs)->channels_last, out[0]);

    c->flops = conv_flops(&y, in[W]);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "u8[2,3,6,5] f32[]+ u8[] u8[4,3,3,3] f32[]+ u8[] f32[]+ u8[]", "pads=[1,1,1,1]", "u8[2,4,6,5]", 0 },
    { "i8[1,3,9,7] f32[]+ i8[] i8[8,3,3,2] f32[8]+ i8[8] f32[]+ i8[] i32[8]", "strides=[2,1]", "i8[1,8,4,6]", 0 },
    { "u8[2,4,5,5] f32[1]+ u8[1] i8[6,2,3,3] f32[6]+ i8[1] f32[1]+ u8[1]", "group=2 strides=[2,2] pads=[0,1,1,0]",
      "u8[2,6,2,2]", 0 },
    { "i8[2,3,7] f32[]+ i8[] u8[3,1,3] f32[]+ u8[3] f32[]+ u8[] i32[3]", "group=3 dilations=[2]", "u8[2,3,3]", 0 },
    { "u8[1,2,4,5,3] f32[]+ u8[] u8[5,2,2,3,2] f32[]+ u8[] f32[]+ i8[] i32[5]", "pads=[0,1,0,1,0,0]", "i8[1,5,4,4,2]",
      0 },
    { "u8[1,2,5,6] f32[]+ u8[] i8[7,2,2,4] f32[]+ i8[] f32[]+ u8[]", "auto_pad='SAME_UPPER' strides=[2,3]",
      "u8[1,7,3,2]", 0 },
    { "u8[1,2,5,6] f32[]+ u8[] i8[2,2,2,4] f32[]+ i8[] f32[]+ u8[]", "auto_pad='SAME_LOWER' kernel_shape=[2,4]",
      "u8[1,2,5,6]", 0 },
    { "u8[1,40,9,9] f32[]+ u8[] i8[70,40,1,1] f32[70]+ i8[70] f32[]+ u8[] i32[70]", "auto_pad='VALID'", "u8[1,70,9,9]",
      0 },
    { "u8[1,1,3] f32[]{0.5} u8[] i8[4,1,2]{1,2,3,4,5,6,7,8} f32[4]{1,2,3,4} i8[]{3} f32[]{2} u8[]{4} i32[4]{1,-2,3,0}",
      "", "u8[1,4,2]", 0 },
    { "u8[0,3,6,5] f32[]+ u8[] u8[4,3,3,3] f32[]+ u8[] f32[]+ u8[]", "", "u8[0,4,4,3]", 0 },
    { "u8[2,0,6,5] f32[]+ u8[] u8[4,0,3,3] f32[]+ u8[] f32[]+ u8[] i32[4]", "", "u8[2,4,4,3]", 0 },
    { 0 },
};

const struct op op_qlinear_conv = {
    .name = "QLinearConv",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 10,
              .signature = "T1 x, TS x_scale, T1 x_zero_point, T2 w, TS w_scale, T2 w_zero_point, TS y_scale, "
                           "T3 y_zero_point, T4 B? -> T3 y",
              .types = "TS: f32; T1: i8 u8; T2: i8 u8; T3: i8 u8; T4: i32",
              .attrs_size = sizeof(struct conv_attrs),
              .parse = parse,
              .rank = rank,
              .infer = infer,
              .run = run,
              .batch_independent = rows_of_first,
              .channels_last = channels_last,
              .describe = quantized_last_tell,
              .cost = cost,
              .no_gradient = "its operands are integers",
              .cases = cases },
            { 0 },
        },
};
