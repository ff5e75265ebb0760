/* ConvInteger, https://onnx.ai/onnx/operators/onnx__ConvInteger.html
 *
 *   y[n, o, p] = sum over c, t of (w[o, c, t] - w_zero_point[o]) (x[n, g(o) + c, p * stride + t * dilation - pad] -
 *                x_zero_point)
 *
 * in int32, which wraps around. g(o) is the first channel of o's group; what lies in the padding is no part of a sum.
 * w_zero_point is one number, or one for each output channel (which onnxruntime does not take). */
#include "ops/cost.h"
#include "ops/quantized.h"
#include "ops/rank.h"
#include "ops/rows.h"

enum { X, W, X_ZERO_POINT, W_ZERO_POINT };

static const struct quantized_inputs inputs = {
    .a = X, .a_zero = X_ZERO_POINT, .b = W, .b_zero = W_ZERO_POINT, .a_name = "x", .b_name = "w", .bias = -1
};

static bool parse(struct parse *p, void *attrs)
{
    return conv_parse(p, attrs);
}

static bool infer(struct infer *i)
{
    return quantized_conv_infer(i, &inputs, I32, 0);
}

static bool run(struct step *s)
{
    return quantized_conv_run(s, &inputs, &(struct integer_result){ .sums = s->out[0]->data }, s->scratch);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    c->flops = conv_flops(out[0], in[W]);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "u8[2,3,6,5] u8[4,3,3,3]", "pads=[1,1,1,1]", "i32[2,4,6,5]", 0 },
    { "i8[1,3,9,7] i8[8,3,3,2] i8[]{-7} i8[]{5}", "strides=[2,1]", "i32[1,8,4,6]", 0 },
    { "u8[2,4,5,5] i8[6,2,3,3] u8[]{9} i8[6]", "group=2 strides=[2,2] pads=[0,1,1,0]", "i32[2,6,2,2]", 0 },
    { "i8[2,3,7] u8[3,1,3] i8[1] u8[3]", "group=3 dilations=[2]", "i32[2,3,3]", 0 },
    { "u8[1,2,4,5,3] u8[5,2,2,3,2] - u8[5]", "pads=[0,1,0,1,0,0]", "i32[1,5,4,4,2]", 0 },
    { "u8[1,2,5,6] i8[7,2,2,4]", "auto_pad='SAME_UPPER' strides=[2,3]", "i32[1,7,3,2]", 0 },
    { "u8[1,2,5,6] i8[2,2,2,4] u8[]", "auto_pad='SAME_LOWER' kernel_shape=[2,4]", "i32[1,2,5,6]", 0 },
    { "u8[1,40,9,9] i8[70,40,1,1]", "auto_pad='VALID'", "i32[1,70,9,9]", 0 },
    { "u8[0,3,6,5] u8[4,3,3,3]", "", "i32[0,4,4,3]", 0 },
    { "u8[1,1,3] u8[4,1,2]{1,2,3,4,5,6,7,8} u8[] u8[4]{1,2,3,255}", "pads=[1,0]", "i32[1,4,3]", 0 },
    { "u8[2,0,6,5] u8[4,0,3,3]", "", "i32[2,4,4,3]", 0 },
    { 0 },
};

const struct op op_conv_integer = {
    .name = "ConvInteger",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 10,
              .signature = "T1 x, T2 w, T1 x_zero_point?, T2 w_zero_point? -> T3 y",
              .types = "T1: i8 u8; T2: i8 u8; T3: i32",
              .attrs_size = sizeof(struct conv_attrs),
              .parse = parse,
              .rank = rank_of_window,
              .infer = infer,
              .run = run,
              .batch_independent = rows_of_first,
              .cost = cost,
              .no_gradient = "its operands are integers",
              .cases = cases },
            { 0 },
        },
};
