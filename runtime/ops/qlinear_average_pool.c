/* QLinearAveragePool of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = saturate(round(sum of (X - x_zero_point) * (x_scale / y_scale / count)) + y_zero_point)
 *
 * over the window and with the count of AveragePool, of [N, C, spatial...], or, with channels_last, of [N, spatial..., C]. The
 * sum is an integer. onnxruntime adds and rounds floats: its result may be one quantum away. */
#include "kernels/channels_last/pool.h"
#include "ops/pooling.h"
#include "ops/qlinear.h"
#include "ops/rank.h"
#include "ops/rows.h"

enum { X, X_SCALE, X_ZERO_POINT, Y_SCALE, Y_ZERO_POINT };

static bool parse(struct parse *p, void *attrs)
{
    struct pooling_attrs *a = attrs;

    a->count_include_pad = attr_int(p, "count_include_pad", 0) != 0;
    a->channels_last = attr_int(p, "channels_last", 0) != 0;
    return window_parse(p, &a->window, WINDOW_KERNEL | WINDOW_CEIL);
}

/* Those of the file may be so already. */
static bool lie_last(const struct node *n, int rank, void *attrs)
{
    return !((const struct pooling_attrs *)n->attrs)->channels_last && pooling_channels_last(n, rank, attrs);
}

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
    const struct tensor *x = s->in[X], *x_zero = s->in[X_ZERO_POINT];
    const struct tensor *y_zero = s->node->inputs > Y_ZERO_POINT ? s->in[Y_ZERO_POINT] : NULL;
    struct pool_bytes b = { .x = x->data, .y = s->out[0]->data, .has_sign = x->dtype == I8 };
    struct qlinear_result y;
    struct pool_shape shape;

    if (!pooling_shape(NULL, a, x, &shape))
        return step_error(s, "the shapes do not fit");
    qlinear_result(&y, x->dtype, s->in[Y_SCALE], y_zero);
    b.x_zero = x_zero ? *(const uint8_t *)x_zero->data : 0;
    b.scale = *(const float *)s->in[X_SCALE]->data / y.scale;
    b.q = y.q;
    average_pool_last_bytes(s->k, s->pool, &shape, a->channels_last ? x->dims[x->rank - 1] : 1, &b);
    return true;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    c->flops = pooling_flops(n->attrs, in[X], out[0]);
}

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
                                   .attrs_size = sizeof(struct pooling_attrs),
                                   .parse = parse,
                                   .rank = rank_of_input,
                                   .infer = infer,
                                   .run = run,
                                   .channels_last = lie_last,
                                   .batch_independent = rows_of_first,
                                   .cost = cost,
                                   .no_gradient = "its operand is quantised",
                                   .cases = cases },
                                 { 0 } },
};
