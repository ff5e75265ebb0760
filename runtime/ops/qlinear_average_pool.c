/* QLinearAveragePool of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = QuantizeLinear(AveragePool(DequantizeLinear(X)))
 *
 * of [N, C, spatial...], or, with channels_last, of [N, spatial..., C]. onnxruntime rounds otherwise on the way: its result may
 * be one quantum away. Where no gradient is taken a pass makes one node of the three (plan/pass_quantized.c), kiln's:
 *
 *   Y = saturate(round(sum of (X - x_zero_point) * (x_scale / y_scale / count)) + y_zero_point)
 *
 * over the window and with the count of AveragePool. The sum is an integer. */
#include "kernels/channels_last/pool.h"
#include "ops/expansion.h"
#include "ops/layout.h"
#include "ops/pooling.h"
#include "ops/qlinear.h"
#include "ops/rank.h"
#include "ops/requantized.h"
#include "ops/rows.h"
#include <stdio.h>

enum { X = REQUANTIZED_X, X_SCALE, X_ZERO_POINT, Y_SCALE, Y_ZERO_POINT };

/* -- of com.microsoft -- */

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

/* Bytes are turned, not floats: so the three nodes stand side by side. */
static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct qlinear_pool *a = n->attrs;
    const int rank = a->pooling.window.kernel_shape.count + 2;
    struct value *x = a->channels_last ? emit_layout(e, n->in[X], rank, false) : n->in[X];
    char window[WINDOW_TEXT], attrs[WINDOW_TEXT + 32];

    snprintf(attrs, sizeof attrs, "count_include_pad=%d %s", a->pooling.count_include_pad,
             window_text(window, &a->pooling.window));
    x = emit(e, "DequantizeLinear", "", 3, x, n->in[X_SCALE], given(n, X_ZERO_POINT));
    out[0] = emit_requantized(e, n, emit(e, "AveragePool", attrs, 1, x), X, Y_SCALE, Y_ZERO_POINT);
    if (a->channels_last)
        out[0] = emit_layout(e, out[0], rank, true);
    return out[0];
}

/* -- kiln's -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);
    struct pool_shape s;

    return pooling_shape(i, infer_attrs(i), x, &s) && has_one_value(i, X_SCALE, "x_scale") &&
           has_one_value(i, X_ZERO_POINT, "x_zero_point") && has_one_value(i, Y_SCALE, "y_scale") &&
           has_one_value(i, Y_ZERO_POINT, "y_zero_point") && pooling_out(i, infer_attrs(i), 0, x->dtype, &s);
}

static bool run(struct step *s)
{
    const struct pooling_attrs *a = s->attrs;
    const struct tensor *x = s->in[X];
    struct pool_bytes b = { .x = x->data, .y = s->out[0]->data, .has_sign = x->dtype == I8 };
    struct qlinear_result y;
    struct pool_shape shape;

    if (!pooling_shape(NULL, a, x, &shape))
        return step_error(s, "the shapes do not fit");
    qlinear_result(&y, x->dtype, s->in[Y_SCALE], s->in[Y_ZERO_POINT]);
    b.x_zero = *(const uint8_t *)s->in[X_ZERO_POINT]->data;
    b.scale = *(const float *)s->in[X_SCALE]->data / y.scale;
    b.q = y.q;
    average_pool_last_bytes(s->k, s->pool, &shape, a->channels_last ? x->dims[x->rank - 1] : 1, &b);
    return true;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    c->flops = pooling_flops(n->attrs, in[X], out[0]);
}

const struct op integer_average_pool = {
    .name = "QLinearAveragePool",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, F x_scale, T x_zero_point, F y_scale, T y_zero_point -> T Y",
                                       .types = "T: i8 u8; F: f32",
                                       .attrs_size = sizeof(struct pooling_attrs),
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .channels_last = pooling_channels_last,
                                       .batch_independent = rows_of_first,
                                       .cost = cost,
                                       .no_gradient = "is made where no gradient is taken any more",
                                       .flags = OP_BYTES_LAST },
                                     { 0 } },
};

/* -- test -- */

static const struct op_case cases[] = {
    { "u8[2,3,5,6] f32[]+ u8[] f32[]+ u8[]", "kernel_shape=[2,3] pads=[1,1,0,1] strides=[2,1]", "u8[2,3,3,6]", 0 },
    { "i8[2,5,6,3] f32[]+ - f32[]+", "kernel_shape=[2,3] channels_last=1 count_include_pad=1 pads=[1,1,0,1]",
      "i8[2,5,6,3]", 0 },
    { "i8[2,3,7] f32[1]+ i8[1] f32[1]+ i8[1]", "kernel_shape=[2] ceil_mode=1 strides=[2]", "i8[2,3,4]", 0 },
    { "u8[1,3,4,5] f32[]+ u8[] f32[]+ u8[]", "kernel_shape=[2,2] auto_pad='SAME_UPPER'", "u8[1,3,4,5]", 0 },
    { "u8[2,2,3,4,5] f32[]+ u8[] f32[]+ u8[]", "kernel_shape=[2,3,2] pads=[0,1,0,1,1,0]", "u8[2,2,3,4,4]", 0 },
    { "i8[2,70,3,3] f32[]+ i8[] f32[]+ i8[]", "kernel_shape=[3,2]", "i8[2,70,1,2]", 0 },
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
