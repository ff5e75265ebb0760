/* Conv, https://onnx.ai/onnx/operators/onnx__Conv.html
 *
 *   Y[n, o, p] = B[o] + sum over c, t of W[o, c, t] * X[n, g(o) + c, p * stride + t * dilation - pad]
 *
 * g(o) is the first channel of o's group. With G = dL/dY, dX is the transposed convolution of G with W, dW the
 * correlation of X with G, and dB the sum of G over batch and space. One private node: all three read G, and dB costs
 * next to nothing then. */
#include "ops/conv_last.h"
#include "ops/cost.h"
#include "ops/layout.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/rows.h"
#include "ops/spelled.h"
#include <math.h>

enum { X, W, B };                /* inputs */
enum { GRAD_Y, GRAD_X, GRAD_W }; /* inputs of the gradient */

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    return conv_parse(p, attrs);
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct conv_attrs *a = attrs;

    (void)n;
    a->channels_last = rank == 3 || rank == 4;
    return a->channels_last;
}

/* -- plan -- */

static const struct conv_extras no_extras;

static bool infer_with(struct infer *i, const struct conv_attrs *a, const struct conv_extras *extras)
{
    const struct tensor *x = typed_in(i, X);
    int64_t dims[MAX_RANK], channels;
    struct conv_shape s;

    if (a->channels_last)
        return conv_last_infer(i, a, extras);
    if (!conv_check(i, a, x, typed_in(i, W), typed_in(i, B), false, &channels) ||
        !conv_shape_read(i, a, x, typed_in(i, W), &s))
        return false;
    dims[0] = x->dims[0];
    dims[1] = channels;
    for (int d = 0; d < s.rank; d++)
        dims[2 + d] = s.out[d];
    if (!set_out(i, 0, x->dtype, x->rank, dims))
        return false;
    need_scratch(i, conv_forward_scratch(infer_kernels(i), &s, x->dtype, infer_threads(i)));
    return true;
}

static bool infer(struct infer *i)
{
    return infer_with(i, infer_attrs(i), &no_extras);
}

/* -- run -- */

static bool run_with(struct step *s, const struct conv_attrs *a, const struct conv_extras *extras)
{
    const struct tensor *x = s->in[X], *w = s->in[W];
    struct conv_shape shape;

    if (a->channels_last)
        return conv_last_step(s, extras);
    if (!conv_shape_read(NULL, a, x, w, &shape))
        return step_error(s, "the shapes do not fit");
    conv_forward(s->k, s->pool, &shape, x->dtype, x->data, w->data, s->in[B] ? s->in[B]->data : NULL, extras->limited,
                 s->out[0]->data, s->scratch);
    return true;
}

static bool run(struct step *s)
{
    return run_with(s, s->attrs, &no_extras);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_X), *w = typed_in(i, GRAD_W);
    const struct conv_attrs *a = infer_attrs(i);
    size_t dx = 0, dw = 0;
    struct conv_shape s;

    if (a->channels_last)
        return conv_last_grad_infer(i);
    if (!conv_shape_read(i, a, x, w, &s) || !set_out(i, X, x->dtype, x->rank, x->dims) ||
        !set_out(i, W, w->dtype, w->rank, w->dims) || !set_out(i, B, w->dtype, 1, w->dims))
        return false;
    if (typed_out(i, X) && !conv_dx_fits(i, &s, x->dtype))
        return false;
    if (typed_out(i, X))
        dx = conv_dx_scratch(infer_kernels(i), &s, x->dtype, infer_threads(i));
    if (typed_out(i, W))
        dw = conv_dw_scratch(infer_kernels(i), &s, x->dtype, infer_threads(i));
    need_scratch(i, dx > dw ? dx : dw);
    return true;
}

static bool grad_run(struct step *s)
{
    const struct conv_attrs *a = s->attrs;
    const struct tensor *x = s->in[GRAD_X], *w = s->in[GRAD_W], *dy = s->in[GRAD_Y];
    struct conv_shape shape;

    if (a->channels_last)
        return conv_last_grad_step(s);
    if (!conv_shape_read(NULL, a, x, w, &shape))
        return step_error(s, "the shapes do not fit");
    if (s->out[B])
        conv_db(s->k, s->pool, x->dtype, dy->dims[0], dy->dims[1], dims_product(dy->dims, 2, dy->rank), dy->data,
                s->out[B]->data);
    if (s->out[W])
        conv_dw(s->k, s->pool, &shape, x->dtype, x->data, dy->data, s->out[W]->data, s->scratch);
    if (s->out[X])
        conv_dx(s->k, s->pool, &shape, x->dtype, dy->data, w->data, NULL, s->out[X]->data, s->scratch);
    return true;
}

static void describe(const struct node *n, const void *plan, struct text *out)
{
    const struct conv_attrs *a = n->attrs;

    if (a->channels_last)
        conv_last_tell(n, &no_extras, plan, out);
}

static void grad_describe(const struct node *n, const void *plan, struct text *out)
{
    const struct conv_attrs *a = n->attrs;

    if (a->channels_last)
        conv_last_grad_tell(n, plan, out);
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    c->flops = ((out[X] != NULL) + (out[W] != NULL)) * conv_flops(in[GRAD_Y], in[GRAD_W]);
}

static bool grad_gradient(struct backward *b)
{
    return conv_grad_gradient(b, &op_conv);
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    struct conv_shape s;

    if (!conv_shape_read(NULL, n->attrs, in[GRAD_X], in[GRAD_W], &s))
        return false;
    if (n->out[X])
        out[X] = emit_conv_back(e, &s, n->in[GRAD_Y], n->in[GRAD_W]);
    if (n->out[W])
        out[W] = emit_conv_weights(e, &s, n->in[GRAD_X], n->in[GRAD_Y]);
    if (n->out[B])
        out[B] = emit_channel_sums(e, n->in[GRAD_Y], in[GRAD_Y]->rank);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "ConvGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X, T W -> T dX?, T dW?, T dB?",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct conv_attrs),
              .plain = plain,
              .infer = grad_infer,
              .run = grad_run,
              .describe = grad_describe,
              .cost = grad_cost,
              .gradient = grad_gradient },
            { 0 },
        },
};

/* The output may have more than the convolution makes: what the chain of a lowered one broadcasts to. */
static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    const struct conv_attrs *a = n->attrs;
    const struct tensor x = layout_onnx(a->channels_last, in[X]);
    struct conv_shape s;
    double pixels;

    (void)out;
    if (!conv_shape_read(NULL, a, &x, in[W], &s))
        return;
    pixels = (double)s.batch;
    for (int d = 0; d < s.rank; d++) { /* taps that can only meet padding are not counted */
        pixels *= (double)s.out[d];
        if (s.kernel[d] > s.in[d])
            pixels *= (double)s.in[d] / (double)s.kernel[d];
    }
    c->flops = 2 * pixels * cost_count(in[W]);
}

static bool gradient(struct backward *b)
{
    return conv_gradient(b, &op_grad);
}

static bool plain_forward(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    struct conv_shape s;
    struct value *b = n->inputs > B ? n->in[B] : NULL;
    int64_t dims[MAX_RANK];

    if (!conv_shape_read(NULL, n->attrs, in[X], in[W], &s))
        return false;
    out[0] = emit_conv(e, &s, n->in[X], n->in[W]);
    for (int d = 0; d < in[X]->rank; d++)
        dims[d] = d == 1 ? in[W]->dims[0] : 1;
    if (b)
        out[0] = emit(e, "Add", "", 2, out[0], emit_reshape(e, b, in[X]->rank, dims));
    return !e->failed;
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, W, "weight", "glorot_uniform", conv_fans },
    { PARAMETER_TRAINS, B, "bias", "zeros", NULL },
    { 0 },
};

/* -- lowered -- */

static bool take_chain(const struct node *n, const struct fused *chain, void *attrs)
{
    struct conv_lowered *a = attrs;

    if (!a->conv.channels_last || a->extras.chain || a->extras.into_channels || n->out[CONV_MOMENTS] ||
        (n->inputs > CONV_RESIDUAL && n->in[CONV_RESIDUAL]))
        return false;
    a->extras.chain = chain;
    return true;
}

static bool take_relu(const struct node *n, void *attrs)
{
    struct conv_lowered *a = attrs;

    (void)n;
    if (a->extras.limited || a->extras.chain || a->extras.into_channels)
        return false;
    a->extras.limited = true;
    a->extras.least = 0;
    a->extras.most = INFINITY;
    return true;
}

static bool take_clip(const struct node *n, float least, float most, void *attrs)
{
    struct conv_lowered *a = attrs;

    if (!a->conv.channels_last || !(least <= most) || !take_relu(n, attrs))
        return false;
    a->extras.least = least;
    a->extras.most = most;
    return true;
}

static int lowered_rank(const struct node *n, int k)
{
    return n->inputs > CONV_RESIDUAL ? UNKNOWN : rank_of_window(n, k);
}

static bool lowered_infer(struct infer *i)
{
    const struct conv_lowered *a = infer_attrs(i);

    return infer_with(i, &a->conv, &a->extras);
}

static bool lowered_run(struct step *s)
{
    const struct conv_lowered *a = s->attrs;

    return run_with(s, &a->conv, &a->extras);
}

static void lowered_describe(const struct node *n, const void *plan, struct text *out)
{
    const struct conv_lowered *a = n->attrs;

    if (a->conv.channels_last)
        conv_last_tell(n, &a->extras, plan, out);
}

/* The other parts of a Concat are in the output, too; it does not meet them. */
static void lowered_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out,
                         struct cost *c)
{
    const struct conv_lowered *a = n->attrs;

    cost(n, in, out, c);
    if (!a->extras.into_channels)
        return;
    c->bytes -= cost_bytes(out[0]) * (1 - (double)in[W]->dims[0] / (double)a->extras.into_channels);
    c->bytes -= n->inputs > CONV_INTO ? cost_bytes(in[CONV_INTO]) : 0;
}

static const struct op op_lowered = {
    .name = "Conv",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X, T W, T B?, V more* -> T Y",
              .types = "T: floats bf16; V: all bf16",
              .attrs_size = sizeof(struct conv_lowered),
              .rank = lowered_rank,
              .infer = lowered_infer,
              .run = lowered_run,
              .batch_independent = rows_of_convolution,
              .take_chain = take_chain,
              .chain_at = CONV_CHAIN,
              .take_relu = take_relu,
              .take_clip = take_clip,
              .describe = lowered_describe,
              .cost = lowered_cost,
              .hidden = 1,
              .no_gradient = "is made where no gradient is taken any more" },
            { 0 },
        },
};

/* -- test -- */

enum { ALL = 1 << X | 1 << W | 1 << B };

#define CASES                                                                                                          \
    { "f64[2,3,6,5] f64[4,3,3,3] f64[4]", "pads=[1,1,1,1]", "f64[2,4,6,5]", ALL },                                     \
        { "f32[1,3,9,7] f32[8,3,3,2] f32[8]", "strides=[2,1]", "f32[1,8,4,6]", ALL },                                  \
        { "f64[2,4,5,5] f64[6,2,3,3]", "group=2 strides=[2,2] pads=[0,1,1,0]", "f64[2,6,2,2]", 1 << X | 1 << W },      \
        { "f64[2,3,7] f64[3,1,3]", "group=3 dilations=[2]", "f64[2,3,3]", 1 << X | 1 << W },                           \
        { "f64[1,2,4,5,3] f64[3,2,2,3,2] f64[3]", "pads=[0,1,0,1,0,0]", "f64[1,3,4,4,2]", ALL },                       \
        { "f64[1,2,5,6] f64[2,2,2,4]", "auto_pad='SAME_UPPER' strides=[2,3]", "f64[1,2,3,2]", 1 << X | 1 << W },       \
        { "f64[1,2,5,6] f64[2,2,2,4]", "auto_pad='SAME_LOWER' kernel_shape=[2,4]", "f64[1,2,5,6]", 1 << X | 1 << W },  \
        { "f32[2,2,5,6] f32[3,2,2,4] f32[3]", "auto_pad='VALID'", "f32[2,3,4,3]", ALL },                               \
        { "f32[0,3,6,5] f32[4,3,3,3] f32[4]", "", "f32[0,4,4,3]", 0 },                                                 \
        { "f32[2,0,6,5] f32[4,0,3,3] f32[4]", "", "f32[2,4,4,3]", 0 },                                                 \
        { "f32[1,16,12,12] f32[32,16,1,1]", "", "f32[1,32,12,12]", 1 << X | 1 << W },                                  \
    {                                                                                                                  \
        "f16[2,3,6,5] f16[4,3,3,3] f16[4]", "pads=[1,1,1,1]", "f16[2,4,6,5]", 0                                        \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case newest[] = {
    CASES,
    { "bf16[2,3,6,5] bf16[4,3,3,3] bf16[4]", "pads=[1,1,1,1]", "bf16[2,4,6,5]", 0 },
    { 0 },
};

#define ROW(version, type_list, case_list)                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X, T W, T B? -> T Y", .types = type_list,                                    \
        .attrs_size = sizeof(struct conv_attrs), .parse = parse, .rank = rank_of_window, .infer = infer, .run = run,   \
        .gradient = gradient, .channels_last = channels_last, .batch_independent = rows_of_convolution,                \
        .describe = describe, .cost = cost, .plain = plain_forward, .hidden = 1, .parameters = parameters,             \
        .cases = case_list                                                                                             \
    }

const struct op op_conv = {
    .name = "Conv",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16", newest),
            ROW(11, "T: floats", cases),
            ROW(1, "T: floats", cases),
            { 0 },
        },
    .lowered = &op_lowered,
};
