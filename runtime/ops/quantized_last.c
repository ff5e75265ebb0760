#include "base/text.h"
#include "kernels/channels_last/integer.h"
#include "kernels/integer_conv.h"
#include "ops/conv_last.h"
#include "ops/layout.h"
#include "ops/quantized.h"
#include <string.h>

/* What is planned: of a product, too, which is a convolution of rows. */
struct last {
    struct conv_shape shape; /* of two dimensions */
    bool fits;               /* else it goes by way of ONNX' layout */
    bool prepared;
    size_t packed; /* bytes of scratch for the weights, where they are not prepared */
};

/* -- weights -- */

/* What a weight is packed by. Bytes of it are compared: it has no gaps. */
struct packed {
    int64_t groups, in_channels, out_channels, kernel[2], dilation;
    int64_t is_matrix; /* [depth, columns], not [O, C, kernel...] */
    int64_t zeros;
    uint8_t zero[];
};

static void make_packed(const void *key, const struct tensor *w, const struct kernels *k, struct pool *pool, void *out)
{
    const struct packed *p = key;
    const int64_t taps = p->kernel[0] * p->kernel[1];
    const struct conv_shape s = { .groups = p->groups,
                                  .in_channels = p->in_channels,
                                  .out_channels = p->out_channels,
                                  .rank = 2,
                                  .kernel = { p->kernel[0], p->kernel[1] },
                                  .dilations = { 1, p->dilation },
                                  .strides = { 1, 1 },
                                  .out = { 1, 1 } };
    struct integer_weights weights = { .w = { w->data, p->zeros ? p->zero : NULL, p->zeros, w->dtype == I8 } };

    weights.out_step = p->is_matrix ? 1 : p->in_channels / p->groups * taps;
    weights.in_step = p->is_matrix ? p->out_channels : taps;
    weights.tap_step = 1;
    integer_last_pack(k, pool, &s, &weights, out);
}

/* Asks for the weights packed once, whose zero points are known. */
static bool prepare_weights(struct infer *i, int w, const struct tensor *zero, const struct conv_shape *s,
                            bool is_matrix)
{
    const size_t zeros = zero ? (size_t)tensor_count(zero) : 0;
    struct packed *key = infer_alloc(i, sizeof *key + zeros);

    if (!key)
        return false;
    *key = (struct packed){ .groups = s->groups,
                            .in_channels = s->in_channels,
                            .out_channels = s->out_channels,
                            .kernel = { s->kernel[0], s->kernel[1] },
                            .dilation = s->dilations[1],
                            .is_matrix = is_matrix,
                            .zeros = (int64_t)zeros };
    if (zeros)
        memcpy(key->zero, zero->data, zeros);
    return need_prepared(i, w, integer_last_packed(infer_kernels(i), s), make_packed, key, sizeof *key + zeros);
}

/* -- convolutions -- */

bool quantized_conv_goes_last(const struct node *n, const struct quantized_inputs *in)
{
    const struct tensor *w = value_constant(n->in[in->b]);
    const struct value *zero = in->b_zero < n->inputs ? n->in[in->b_zero] : NULL;
    const struct tensor *z = value_constant(zero);
    const struct conv_attrs *a = n->attrs;
    struct conv_shape s = integer_last_product(1, 1, 1); /* but for these two */

    if (!w || (w->rank != 3 && w->rank != 4) || (zero && !z))
        return false;
    s.groups = a->group;
    s.in_channels = w->dims[1] * (a->group > 0 ? a->group : 1);
    s.out_channels = w->dims[0];
    const struct integer_operand weights = quantized_operand(w, z);

    return integer_last_fits(&s, &weights);
}

/* Bytes of images in ONNX' layout. */
static size_t planes(const struct conv_shape *s, bool input, size_t size)
{
    const int64_t *in = input ? s->in : s->out;

    return aligned((size_t)(s->batch * (input ? s->in_channels : s->out_channels) * in[0] * in[1]) * size);
}

bool quantized_conv_last_infer(struct infer *i, const struct quantized_inputs *in, enum dtype y)
{
    const struct tensor x = layout_onnx(true, typed_in(i, in->a)), *w = typed_in(i, in->b);
    const struct tensor *zero = typed_in(i, in->b_zero);
    struct last *p = infer_plan(i, sizeof *p);
    int64_t onnx[MAX_RANK], dims[MAX_RANK];
    const struct kernels *k = infer_kernels(i);
    struct integer_operand weights;

    if (!p || !quantized_conv_shape(i, in, &x, &p->shape, onnx))
        return false;
    layout_dims(true, x.rank, onnx, dims);
    if (!set_out(i, 0, y, x.rank, dims))
        return false;
    conv_last_lift(&p->shape);
    weights = quantized_operand(w, zero);
    p->fits = (!zero || zero->data) && integer_last_fits(&p->shape, &weights);
    if (!p->fits) {
        need_scratch(i, planes(&p->shape, true, 1) + planes(&p->shape, false, dtype_size(y)) +
                            integer_conv_scratch(k, &p->shape, false, infer_threads(i)));
        return true;
    }
    p->prepared = prepare_weights(i, in->b, zero, &p->shape, false);
    p->packed = p->prepared ? 0 : aligned(integer_last_packed(k, &p->shape));
    need_scratch(i, p->packed + integer_last_scratch(k, &p->shape, x.dtype == I8));
    return true;
}

static void run_in_planes(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                          const struct last *p)
{
    const struct tensor *x = s->in[in->a], *bias = quantized_given(s, in->bias);
    char *const x_planes = s->scratch, *const y_planes = x_planes + planes(&p->shape, true, 1);
    const struct tensor y = layout_onnx(true, s->out[0]);
    struct integer_conv c = { .shape = p->shape,
                              .x = quantized_operand(x, quantized_given(s, in->a_zero)),
                              .w = quantized_operand(s->in[in->b], quantized_given(s, in->b_zero)),
                              .result = *r };

    layout_copy(s->k, s->pool, x, false, x->data, x_planes);
    c.x.data = (uint8_t *)x_planes;
    c.result.bias = bias ? bias->data : NULL;
    if (r->sums)
        c.result.sums = (int32_t *)(void *)y_planes;
    else
        c.result.y = (uint8_t *)y_planes;
    integer_conv(s->k, s->pool, &c, y_planes + planes(&p->shape, false, dtype_size(y.dtype)));
    layout_copy(s->k, s->pool, &y, true, y_planes, s->out[0]->data);
}

/* What the kernel is told; scales are those of a convolution. */
static struct integer_last last_of(const struct step *s, const struct quantized_inputs *in,
                                   const struct integer_result *r, const struct last *p)
{
    const struct tensor *x = s->in[in->a], *zero = quantized_given(s, in->a_zero), *bias = quantized_given(s, in->bias);
    struct integer_last c = { .shape = p->shape,
                              .x = x->data,
                              .x_zero = zero ? zero->data : NULL,
                              .x_has_sign = x->dtype == I8,
                              .bias = bias ? bias->data : NULL,
                              .sums = r->sums,
                              .y = r->y,
                              .y_scale = r->y_scale,
                              .zero = r->zero,
                              .least = r->least,
                              .most = r->most };

    if (!r->sums) {
        c.w_scale = r->a_scale;
        c.w_scales = r->a_scales;
        c.x_scale = *r->b_scale;
    }
    return c;
}

bool quantized_conv_last_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r)
{
    const struct last *p = s->plan;
    struct integer_last c = last_of(s, in, r, p);
    char *scratch = s->scratch;

    if (!p->fits) {
        run_in_planes(s, in, r, p);
        return true;
    }
    c.packed = prepared_for(s, in->b);
    if (!c.packed) {
        const struct integer_operand w = quantized_operand(s->in[in->b], quantized_given(s, in->b_zero));
        const int64_t taps = p->shape.kernel[0] * p->shape.kernel[1];
        const struct integer_weights weights = { w, p->shape.in_channels / p->shape.groups * taps, taps, 1 };

        integer_last_pack(s->k, s->pool, &p->shape, &weights, scratch);
        c.packed = scratch;
        scratch += p->packed;
    }
    integer_last(s->k, s->pool, &c, scratch);
    return true;
}

void quantized_last_tell(const struct node *n, const void *plan, struct text *out)
{
    const struct last *p = plan;

    (void)n;
    if (p)
        text_printf(out, "channels last%s", p->fits ? "" : ", by way of planes");
}

/* -- products -- */

bool quantized_quads_infer(struct infer *i, const struct quantized_inputs *in, size_t scratch, const struct product *p)
{
    const struct tensor *a = typed_in(i, in->a), *b = typed_in(i, in->b), *zero = typed_in(i, in->b_zero);
    const struct tensor *a_zero = typed_in(i, in->a_zero), *a_scale = in->a_scale < 0 ? NULL : typed_in(i, in->a_scale);
    const struct integer_operand w = quantized_operand(b, zero);
    struct conv_shape shape = integer_last_product(p->m * dims_product(p->batch, 0, p->rank), p->k, p->n);
    struct last *plan;

    if (b->rank != 2 || !product_is_one(p) || (zero && !zero->data) || !integer_last_fits(&shape, &w) ||
        (a_zero && tensor_count(a_zero) != 1) || (a_scale && tensor_count(a_scale) != 1) ||
        !prepare_weights(i, in->b, zero, &shape, true))
        return false;
    plan = infer_plan(i, sizeof *plan);
    if (!plan)
        return false;
    plan->shape = shape;
    plan->fits = plan->prepared = true;
    need_scratch(i, scratch + integer_last_scratch(infer_kernels(i), &shape, a->dtype == I8));
    return true;
}

bool quantized_quads_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                         char *scratch)
{
    struct integer_result turned = *r; /* the scale of A is that of x */
    struct integer_last c;

    if (!s->plan)
        return false;
    turned.a_scale = r->b_scale;
    turned.a_scales = r->b_scales;
    turned.b_scale = r->a_scale;
    c = last_of(s, in, &turned, s->plan);
    c.packed = prepared_for(s, in->b);
    integer_last(s->k, s->pool, &c, scratch);
    return true;
}
