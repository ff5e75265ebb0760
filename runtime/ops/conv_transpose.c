/* ConvTranspose, https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
 *
 *   Y[n, m, p * stride + t * dilation - pad] += W[c, m, t] * X[n, c, p]     then + B[m]; channels by groups
 *
 * It is the gradient of a convolution with respect to its input, so its own gradients are a convolution (dX) and that
 * convolution's gradient with respect to its weight (dW). */
#include "ops/conv.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/rows.h"
#include "ops/spelled.h"

enum { X, W, B };                /* inputs */
enum { GRAD_Y, GRAD_X, GRAD_W }; /* inputs of the gradient */

struct transpose_attrs {
    struct conv_attrs conv;
    struct ints output_padding, output_shape;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct transpose_attrs *a = attrs;

    return conv_parse(p, &a->conv) && window_list(p, "output_padding", &a->output_padding, 0) &&
           window_list(p, "output_shape", &a->output_shape, 0);
}

/* -- plan -- */

static bool too_big(struct infer *i, int d)
{
    return i && infer_error(i, "spatial dimension %d of the output overflows", d);
}

/* The output's size follows from the pads, or the pads from the output's size: from output_shape, or, with SAME, the
 * input's size times the stride. Then the odd one goes to the end for SAME_UPPER, else to the beginning, as onnxruntime
 * does (the standard's formulas and its words on auto_pad contradict each other). */
static bool size_of(struct infer *i, const struct transpose_attrs *a, struct window *w, int d)
{
    const enum auto_pad mode = a->conv.window.auto_pad;
    const bool same = mode == SAME_UPPER || mode == SAME_LOWER;
    int64_t extent, full, total;

    if (!window_extent(w, d, &extent) || !mul_size(w->in[d] - 1, w->strides[d], &full) ||
        !add_size(full, extent, &full) || !add_size(full, a->output_padding.count ? a->output_padding.v[d] : 0, &full))
        return too_big(i, d);
    if (!a->output_shape.count && !same) {
        w->out[d] = full - w->pads_begin[d];
        if (!add_size(w->out[d], -w->pads_end[d], &w->out[d]) || w->out[d] < 0)
            return i &&
                   infer_error(
                       i, "spatial dimension %d of the output is %lld without its pads, must not be less than them", d,
                       (long long)full);
        return true;
    }
    w->out[d] = a->output_shape.count ? a->output_shape.v[d] : 0;
    if (!a->output_shape.count && !mul_size(w->in[d], w->strides[d], &w->out[d]))
        return too_big(i, d);
    total = full > w->out[d] ? full - w->out[d] : 0;
    w->pads_begin[d] = mode == SAME_UPPER ? total / 2 : total - total / 2;
    w->pads_end[d] = total - w->pads_begin[d];
    return true;
}

/* The shape of the convolution that this is the transposed of. */
static bool shape_of(struct infer *i, const struct transpose_attrs *a, const struct tensor *x, const struct tensor *w,
                     int64_t channels, struct conv_shape *s)
{
    struct window window;

    if (!window_read(i, &a->conv.window, x, w->dims + 2, &window))
        return false;
    for (int d = 0; d < window.rank; d++)
        if (!size_of(i, a, &window, d))
            return false;
    *s = conv_shape_of(&window, x->dims[0], channels, x->dims[1], a->conv.group);
    for (int d = 0; d < window.rank; d++) {
        s->in[d] = window.out[d];
        s->out[d] = window.in[d];
    }
    return conv_countable(i, s);
}

static bool check_count(struct infer *i, const char *name, const struct ints *list, int count)
{
    if (list->count && list->count != count)
        return infer_error(i, "%s has %d values, must have %d, one for each spatial dimension", name, list->count,
                           count);
    return true;
}

static bool infer(struct infer *i)
{
    const struct transpose_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    int64_t dims[MAX_RANK], channels;
    struct conv_shape s;

    if (!conv_check(i, &a->conv, typed_in(i, 0), typed_in(i, 1), typed_in(i, 2), true, &channels) ||
        !check_count(i, "output_padding", &a->output_padding, x->rank - 2) ||
        !check_count(i, "output_shape", &a->output_shape, x->rank - 2) ||
        !shape_of(i, a, x, typed_in(i, W), channels, &s))
        return false;
    dims[0] = x->dims[0];
    dims[1] = channels;
    for (int d = 0; d < s.rank; d++)
        dims[2 + d] = s.in[d];
    if (!set_out(i, 0, x->dtype, x->rank, dims) || !conv_dx_fits(i, &s, x->dtype))
        return false;
    need_scratch(i, conv_dx_scratch(infer_kernels(i), &s, x->dtype, infer_threads(i)));
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[X], *w = s->in[W];
    struct conv_shape shape;

    if (!shape_of(NULL, s->attrs, x, w, s->out[0]->dims[1], &shape))
        return step_error(s, "the shapes do not fit");
    conv_dx(s->k, s->pool, &shape, x->dtype, x->data, w->data, s->in[B] ? s->in[B]->data : NULL, s->out[0]->data,
            s->scratch);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_X), *w = typed_in(i, GRAD_W);
    const int64_t channels = typed_in(i, GRAD_Y)->dims[1];
    size_t dx = 0, dw = 0;
    struct conv_shape s;

    if (!shape_of(i, infer_attrs(i), x, w, channels, &s) || !set_out(i, X, x->dtype, x->rank, x->dims) ||
        !set_out(i, W, w->dtype, w->rank, w->dims) || !set_out(i, B, w->dtype, 1, &channels))
        return false;
    if (typed_out(i, X))
        dx = conv_forward_scratch(infer_kernels(i), &s, x->dtype, infer_threads(i));
    if (typed_out(i, W))
        dw = conv_dw_scratch(infer_kernels(i), &s, x->dtype, infer_threads(i));
    need_scratch(i, dx > dw ? dx : dw);
    return true;
}

static bool grad_run(struct step *s)
{
    const struct tensor *x = s->in[GRAD_X], *w = s->in[GRAD_W], *dy = s->in[GRAD_Y];
    struct conv_shape shape;

    if (!shape_of(NULL, s->attrs, x, w, dy->dims[1], &shape))
        return step_error(s, "the shapes do not fit");
    if (s->out[B])
        conv_db(s->k, s->pool, x->dtype, dy->dims[0], dy->dims[1], dims_product(dy->dims, 2, dy->rank), dy->data,
                s->out[B]->data);
    if (s->out[W])
        conv_dw(s->k, s->pool, &shape, x->dtype, dy->data, x->data, s->out[W]->data, s->scratch);
    if (s->out[X])
        conv_forward(s->k, s->pool, &shape, x->dtype, dy->data, w->data, NULL, false, s->out[X]->data, s->scratch);
    return true;
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    c->flops = ((out[X] != NULL) + (out[W] != NULL)) * conv_flops(in[GRAD_X], in[GRAD_W]);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = conv_flops(in[X], in[W]);
}

static bool grad_gradient(struct backward *b)
{
    return conv_grad_gradient(b, &op_conv_transpose);
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    struct conv_shape s;

    if (!shape_of(NULL, n->attrs, in[GRAD_X], in[GRAD_W], in[GRAD_Y]->dims[1], &s))
        return false;
    if (n->out[X])
        out[X] = emit_conv(e, &s, n->in[GRAD_Y], n->in[GRAD_W]);
    if (n->out[W])
        out[W] = emit_conv_weights(e, &s, n->in[GRAD_Y], n->in[GRAD_X]);
    if (n->out[B])
        out[B] = emit_channel_sums(e, n->in[GRAD_Y], in[GRAD_Y]->rank);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "ConvTransposeGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X, T W -> T dX?, T dW?, T dB?",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct transpose_attrs),
              .plain = plain,
              .infer = grad_infer,
              .cost = grad_cost,
              .run = grad_run,
              .gradient = grad_gradient },
            { 0 },
        },
};

static bool gradient(struct backward *b)
{
    return conv_gradient(b, &op_grad);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, W, "weight", "glorot_uniform", conv_fans },
    { PARAMETER_TRAINS, B, "bias", "zeros", NULL },
    { 0 },
};

/* -- test -- */

enum { ALL = 1 << X | 1 << W | 1 << B };

#define CASES                                                                                                          \
    { "f64[2,3,4,3] f64[3,4,3,3] f64[4]", "", "f64[2,4,6,5]", ALL },                                                   \
        { "f32[1,3,4,3] f32[3,2,3,3]", "strides=[2,3] output_padding=[1,0]", "f32[1,2,10,9]", 1 << X | 1 << W },       \
        { "f64[2,4,3] f64[4,3,3] f64[6]", "group=2 strides=[2] pads=[1,0]", "f64[2,6,6]", ALL },                       \
        { "f64[1,2,3,3] f64[2,1,2,2] f64[1]", "dilations=[2,2] pads=[1,1,1,1]", "f64[1,1,3,3]", ALL },                 \
        { "f64[1,2,3,3] f64[2,2,3,3]", "auto_pad='SAME_UPPER' strides=[2,2]", "f64[1,2,6,6]", 1 << X | 1 << W },       \
        { "f64[1,2,3,3] f64[2,2,3,3]", "auto_pad='SAME_LOWER' strides=[2,2]", "f64[1,2,6,6]", 1 << X | 1 << W },       \
        { "f64[1,2,3,3] f64[2,2,3,3]", "output_shape=[8,5] strides=[2,2]", "f64[1,2,8,5]", 1 << X | 1 << W },          \
        { "f64[1,1,2,3,2] f64[1,2,2,2,2] f64[2]", "strides=[1,2,1]", "f64[1,2,3,6,3]", ALL },                          \
        { "f32[0,3,4,3] f32[3,4,3,3] f32[4]", "", "f32[0,4,6,5]", 0 },                                                 \
    {                                                                                                                  \
        "f16[1,3,4,3] f16[3,2,3,3] f16[2]", "", "f16[1,2,6,5]", 0                                                      \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case newest[] = {
    CASES,
    { "bf16[1,3,4,3] bf16[3,2,3,3] bf16[2]", "", "bf16[1,2,6,5]", 0 },
    { 0 },
};

#define ROW(version, type_list, case_list)                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X, T W, T B? -> T Y", .types = type_list,                                    \
        .attrs_size = sizeof(struct transpose_attrs), .parse = parse, .rank = rank_of_window, .infer = infer,          \
        .run = run, .gradient = gradient, .cost = cost, .batch_independent = rows_of_convolution,                      \
        .parameters = parameters, .cases = case_list                                                                   \
    }

const struct op op_conv_transpose = {
    .name = "ConvTranspose",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16", newest),
            ROW(11, "T: floats", cases),
            ROW(1, "T: floats", cases),
            { 0 },
        },
};
