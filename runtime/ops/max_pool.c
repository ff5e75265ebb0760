/* MaxPool, https://onnx.ai/onnx/operators/onnx__MaxPool.html
 *
 *   Y[n, c, p] = max over t of X[n, c, p * stride + t * dilation - pad], padding left out
 *
 * Of equal elements the first in row-major order wins. The gradient gives all of dL/dY to the winner, which it finds
 * again in X: X is mostly kept anyway (for the activation before), and indices would be twice its size. The gradient of
 * Indices is zero by definition. */
#include "kernels/channels_last/pool.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/pooling.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/rows.h"

enum { Y, INDICES };     /* outputs */
enum { GRAD_Y, GRAD_X }; /* inputs of the gradient */

/* -- read -- */

static bool parse(struct parse *p, struct pooling_attrs *a, unsigned form)
{
    const int64_t order = attr_int(p, "storage_order", 0);

    if (order != 0 && order != 1)
        return parse_error(p, "storage_order is %lld, must be 0 or 1", (long long)order);
    a->column_major = order;
    return window_parse(p, &a->window, WINDOW_KERNEL | form);
}

static bool parse_1(struct parse *p, void *attrs)
{
    struct pooling_attrs *a = attrs;

    return window_parse(p, &a->window, WINDOW_KERNEL);
}

static bool parse_8(struct parse *p, void *attrs)
{
    return parse(p, attrs, 0);
}

static bool parse_10(struct parse *p, void *attrs)
{
    return parse(p, attrs, WINDOW_DILATIONS | WINDOW_CEIL);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    struct pool_shape s;

    if (!pooling_shape(i, infer_attrs(i), x, &s) || !pooling_out(i, infer_attrs(i), Y, x->dtype, &s))
        return false;
    if (infer_outputs(i) > INDICES && !pooling_out(i, infer_attrs(i), INDICES, I64, &s))
        return false;
    if (!typed_out(i, Y)) /* indices alone */
        need_scratch(i, (size_t)tensor_count(typed_out(i, INDICES)) * dtype_size(x->dtype));
    return true;
}

/* -- run -- */

static bool run_pool(struct step *s, int64_t *indices)
{
    const struct pooling_attrs *a = s->attrs;
    const struct tensor *x = s->in[0];
    struct pool_shape shape;

    if (!pooling_shape(NULL, s->attrs, x, &shape))
        return step_error(s, "the shapes do not fit");
    if (a->channels_last && x->dtype != F32)
        max_pool_last_bytes(s->pool, &shape, x->dims[x->rank - 1], x->dtype == I8, x->data, s->out[Y]->data);
    else if (a->channels_last)
        max_pool_last(s->k, s->pool, &shape, x->dims[x->rank - 1], x->data, s->out[Y]->data);
    else
        max_pool(s->k, s->pool, &shape, x->dtype, x->data, s->out[Y] ? s->out[Y]->data : s->scratch, indices);
    return true;
}

static bool run(struct step *s)
{
    return run_pool(s, s->out[INDICES] ? s->out[INDICES]->data : NULL);
}

/* Before 8 there were no indices: out[] has one slot. */
static bool run_1(struct step *s)
{
    return run_pool(s, NULL);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    c->flops = pooling_flops(n->attrs, in[0], out[Y] || n->slots == 1 ? out[Y] : out[INDICES]);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_X);

    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

static bool grad_run(struct step *s)
{
    const struct pooling_attrs *a = s->attrs;
    const struct tensor *x = s->in[GRAD_X];
    struct pool_shape shape;

    if (!pooling_shape(NULL, s->attrs, x, &shape))
        return step_error(s, "the shapes do not fit");
    if (a->channels_last)
        max_pool_last_grad(s->k, s->pool, &shape, x->dims[x->rank - 1], x->data, s->in[GRAD_Y]->data, s->out[0]->data);
    else
        max_pool_grad(s->k, s->pool, &shape, x->dtype, x->data, s->in[GRAD_Y]->data, s->out[0]->data);
    return true;
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)out;
    c->flops = pooling_flops(n->attrs, in[GRAD_X], in[GRAD_Y]);
}

/* It is linear in dY, which gets what flows back to its winner; the winners do not change where X changes a little. Their
 * indices are of ONNX' layout. */
static bool gradient_of_grad(struct backward *b)
{
    const int64_t all = -1;
    struct emitter *e = emitter_of(b);
    struct pooling_attrs *a = emit_alloc(e, sizeof *a);
    const bool last = ((const struct pooling_attrs *)attrs_of(b))->channels_last;
    struct value *x = forward_in(b, GRAD_X), *g = upstream(b, 0), *pooled[2];
    const int rank = type_in(b, GRAD_X)->rank;

    if (!a || !wants(b, GRAD_Y))
        return backward_ok(b);
    *a = *(const struct pooling_attrs *)attrs_of(b);
    a->channels_last = a->column_major = false;
    if (last) {
        x = emit_layout(e, x, rank, false);
        g = emit_layout(e, g, rank, false);
    }
    if (emit_private(e, &op_max_pool, a, 2, pooled, (const bool[]){ false, true }, 1, &x)) {
        struct value *const empty = emit(e, "Less", "", 2, pooled[INDICES], emit_scalar(e, I64, 0));

        g = emit(e, "Gather", "axis=0", 2, emit_reshape(e, g, 1, &all), pooled[INDICES]);
        g = emit(e, "Where", "", 3, empty, emit_scalar(e, type_in(b, GRAD_Y)->dtype, 0), g);
        give(b, GRAD_Y, last ? emit_layout(e, g, rank, true) : g);
    }
    return backward_ok(b);
}

/* A pool of the same windows, whose indices tell where they won. */
static bool indices_of(struct emitter *e, const struct pool_shape *s, struct value *x, struct value **indices)
{
    struct window_attrs a = {
        .kernel_shape.count = s->rank, .strides.count = s->rank, .dilations.count = s->rank, .pads.count = 2 * s->rank
    };
    char attrs[WINDOW_TEXT];
    struct value *y[2];

    for (int d = 0; d < s->rank; d++) { /* so that there are as many windows */
        const int64_t end =
            (s->out[d] - 1) * s->strides[d] + (s->kernel[d] - 1) * s->dilations[d] + 1 - s->pads_begin[d] - s->in[d];

        a.kernel_shape.v[d] = s->kernel[d];
        a.strides.v[d] = s->strides[d];
        a.dilations.v[d] = s->dilations[d];
        a.pads.v[d] = s->pads_begin[d];
        a.pads.v[s->rank + d] = end > 0 ? end : 0;
    }
    if (!emit_many(e, "MaxPool", window_text(attrs, &a), 2, y, 1, &x))
        return false;
    *indices = y[INDICES];
    return true;
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct tensor *x = in[GRAD_X];
    const int64_t all = -1, count = tensor_count(x);
    struct value *indices;
    struct pool_shape s;

    if (!pooling_shape(NULL, n->attrs, x, &s) || !indices_of(e, &s, n->in[GRAD_X], &indices))
        return false;
    out[0] = emit(e, "ScatterElements", "axis=0 reduction='add'", 3, emit_zeros(e, x->dtype, 1, &count),
                  emit_reshape(e, indices, 1, &all), emit_reshape(e, n->in[GRAD_Y], 1, &all));
    out[0] = emit_reshape(e, out[0], x->rank, x->dims);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "MaxPoolGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X -> T dX",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct pooling_attrs),
              .plain = plain,
              .infer = grad_infer,
              .run = grad_run,
              .cost = grad_cost,
              .gradient = gradient_of_grad },
            { 0 },
        },
};

static bool gradient(struct backward *b)
{
    struct value *d;

    if (!upstream(b, Y))
        return true;
    emit_private(emitter_of(b), &op_grad, attrs_of(b), 1, &d, NULL, 2,
                 (struct value *[]){ upstream(b, Y), forward_in(b, 0) });
    give(b, 0, d);
    return backward_ok(b);
}

/* -- test -- */

#define CASES_1                                                                                                        \
    { "f64[2,3,6,4]~", "kernel_shape=[2,2] strides=[2,2]", "f64[2,3,3,2]", 1 },                                        \
        { "f32[1,2,7,7]~", "kernel_shape=[3,2] strides=[2,1] pads=[1,0,1,1]", "f32[1,2,4,7]", 1 },                     \
        { "f64[2,2,7]~", "kernel_shape=[3]", "f64[2,2,5]", 1 },                                                        \
        { "f64[1,1,4,3,4]~", "kernel_shape=[2,2,2] strides=[2,1,2]", "f64[1,1,2,2,2]", 1 },                            \
        { "f64[1,2,5,6]~", "kernel_shape=[2,2] auto_pad='SAME_UPPER' strides=[2,2]", "f64[1,2,3,3]", 1 },              \
        { "f64[1,2,5,6]~", "kernel_shape=[2,2] auto_pad='SAME_LOWER'", "f64[1,2,5,6]", 1 },                            \
        { "f32[1,2,5,6]~", "kernel_shape=[2,3] auto_pad='VALID'", "f32[1,2,4,4]", 1 },                                 \
        { "f32[0,2,5,6]", "kernel_shape=[2,2]", "f32[0,2,4,5]", 0 },                                                   \
    {                                                                                                                  \
        "f16[1,2,6,6]", "kernel_shape=[3,3] strides=[3,3]", "f16[1,2,2,2]", 0                                          \
    }
#define CASES_8                                                                                                        \
    { "f32[1,2,5,6]~", "kernel_shape=[2,2]", "f32[1,2,4,5] i64[1,2,4,5]", 1 },                                         \
    {                                                                                                                  \
        "f64[1,2,5,6]~", "kernel_shape=[2,2] storage_order=1", "f64[1,2,4,5] i64[1,2,4,5]", 1                          \
    }
#define CASES_10                                                                                                       \
    { "f64[1,2,7,8]~", "kernel_shape=[3,2] dilations=[2,3]", "f64[1,2,3,5]", 1 },                                      \
        { "f64[1,2,6,8]~", "kernel_shape=[3,3] strides=[2,2] ceil_mode=1", "f64[1,2,3,4]", 1 },                        \
    {                                                                                                                  \
        "f32[1,1,5,2]~", "kernel_shape=[1,1] strides=[2,2] pads=[0,0,0,0] ceil_mode=1", "f32[1,1,3,1]", 1              \
    }

static const struct op_case cases_1[] = { CASES_1, { 0 } };
static const struct op_case cases_8[] = { CASES_1, CASES_8, { 0 } };
static const struct op_case cases_10[] = { CASES_1, CASES_8, CASES_10, { 0 } };
static const struct op_case cases_12[] = {
    CASES_1,
    CASES_8,
    CASES_10,
    { "i8[1,2,6,6]", "kernel_shape=[2,2]", "i8[1,2,5,5] i64[1,2,5,5]", 0 },
    { "u8[1,2,6,6]", "kernel_shape=[3,3] pads=[1,1,1,1]", "u8[1,2,6,6]", 0 },
    { 0 },
};
static const struct op_case cases_22[] = {
    CASES_1,
    CASES_8,
    CASES_10,
    { "i8[1,2,6,6]", "kernel_shape=[2,2]", "i8[1,2,5,5] i64[1,2,5,5]", 0 },
    { "u8[1,2,6,6]", "kernel_shape=[3,3] pads=[1,1,1,1]", "u8[1,2,6,6]", 0 },
    { "bf16[1,2,6,6]", "kernel_shape=[2,2] strides=[2,2]", "bf16[1,2,3,3]", 0 },
    { 0 },
};

/* Indices count from the first row on. */
static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    return (n->slots < 2 || !n->out[1]) && rows_of_first(n, types, rows);
}

#define ROW(version, type_list, parser, case_list)                                                                     \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y, I Indices?", .types = type_list "; I: i64",                        \
        .attrs_size = sizeof(struct pooling_attrs), .parse = parser, .rank = rank_of_input, .infer = infer,            \
        .run = run, .gradient = gradient, .channels_last = pooling_channels_last,                                      \
        .batch_independent = batch_independent, .cost = cost, .flags = OP_BYTES_LAST, .cases = case_list               \
    }

const struct op op_max_pool = {
    .name = "MaxPool",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16 i8 u8", parse_10, cases_22),
            ROW(12, "T: floats i8 u8", parse_10, cases_12),
            ROW(11, "T: floats", parse_10, cases_10),
            ROW(10, "T: floats", parse_10, cases_10),
            ROW(8, "T: floats", parse_8, cases_8),
            { .since = 1,
              .signature = "T X -> T Y",
              .types = "T: floats",
              .attrs_size = sizeof(struct pooling_attrs),
              .parse = parse_1,
              .rank = rank_of_input,
              .infer = infer,
              .run = run_1,
              .gradient = gradient,
              .cost = cost,
              .channels_last = pooling_channels_last,
              .cases = cases_1 },
            { 0 },
        },
};
