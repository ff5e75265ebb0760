/* AveragePool, https://onnx.ai/onnx/operators/onnx__AveragePool.html
 *
 *   Y[n, c, p] = sum over t of X[n, c, p * stride + t * dilation - pad] / count(p)
 *
 * count(p) is how many elements of X the window sees, or, with count_include_pad, of X and its pads; what ceil_mode
 * lets hang over the end is never counted. The gradient spreads dL/dY / count(p) over the window; it needs the shape of
 * X alone. */
#include "kernels/channels_last/pool.h"
#include "ops/pooling.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/rows.h"
#include "ops/spelled.h"
#include <string.h>

struct grad_attrs {
    struct pooling_attrs pooling;
    struct tensor x;
};

/* -- read -- */

static bool parse(struct parse *p, struct pooling_attrs *a, unsigned form)
{
    a->count_include_pad = attr_int(p, "count_include_pad", 0) != 0;
    return window_parse(p, &a->window, WINDOW_KERNEL | form);
}

static bool parse_1(struct parse *p, void *attrs)
{
    return window_parse(p, &((struct pooling_attrs *)attrs)->window, WINDOW_KERNEL);
}

static bool parse_19(struct parse *p, void *attrs)
{
    return parse(p, attrs, WINDOW_CEIL | WINDOW_DILATIONS);
}

static bool parse_10(struct parse *p, void *attrs)
{
    return parse(p, attrs, WINDOW_CEIL);
}

static bool parse_7(struct parse *p, void *attrs)
{
    return parse(p, attrs, 0);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    struct pool_shape s;

    return pooling_shape(i, infer_attrs(i), typed_in(i, 0), &s) &&
           pooling_out(i, infer_attrs(i), 0, typed_in(i, 0)->dtype, &s);
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct pooling_attrs *a = s->attrs;
    const struct tensor *x = s->in[0];
    struct pool_shape shape;

    if (!pooling_shape(NULL, a, x, &shape))
        return step_error(s, "the shapes do not fit");
    if (a->channels_last)
        average_pool_last(s->k, s->pool, &shape, x->dims[x->rank - 1], x->data, s->out[0]->data);
    else
        average_pool(s->k, s->pool, &shape, x->dtype, x->data, s->out[0]->data);
    return true;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    c->flops = pooling_flops(n->attrs, in[0], out[0]);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct grad_attrs *a = infer_attrs(i);

    return set_out(i, 0, a->x.dtype, a->x.rank, a->x.dims);
}

static bool grad_run(struct step *s)
{
    const struct grad_attrs *a = s->attrs;
    struct pool_shape shape;

    if (!pooling_shape(NULL, &a->pooling, &a->x, &shape))
        return step_error(s, "the shapes do not fit");
    if (a->pooling.channels_last)
        average_pool_last_grad(s->k, s->pool, &shape, a->x.dims[a->x.rank - 1], s->in[0]->data, s->out[0]->data);
    else
        average_pool_grad(s->k, s->pool, &shape, a->x.dtype, s->in[0]->data, s->out[0]->data);
    return true;
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    const struct grad_attrs *a = n->attrs;

    (void)out;
    c->flops = pooling_flops(&a->pooling, &a->x, in[0]);
}

/* It is linear: what flows back is averaged as X was. */
static bool gradient_of_grad(struct backward *b)
{
    const struct grad_attrs *a = attrs_of(b);
    struct value *g = upstream(b, 0), *d = NULL;

    emit_private(emitter_of(b), a->pooling.sum ? &sum_pool : &op_average_pool, &a->pooling, 1, &d, NULL, 1, &g);
    give(b, 0, d);
    return backward_ok(b);
}

/* How many elements of the padded image a window at `at` sees along a dimension. */
static int64_t seen(const struct pool_shape *s, int d, int64_t at)
{
    const int64_t least = s->count_include_pad ? -s->pads_begin[d] : 0;
    const int64_t end = s->in[d] + (s->count_include_pad ? s->pads_end[d] : 0);
    int64_t count = 0;

    for (int64_t t = 0; t < s->kernel[d]; t++) {
        const int64_t place = at * s->strides[d] - s->pads_begin[d] + t * s->dilations[d];

        count += place >= least && place < end;
    }
    return count;
}

/* 1 / the elements that each window sees. */
static struct value *shares(struct emitter *e, const struct pool_shape *s, enum dtype dtype)
{
    struct tensor type = { .dtype = F32, .rank = s->rank + 2, .dims = { 1, 1 } };
    const int64_t n = dims_product(s->out, 0, s->rank);
    float *of = emit_alloc(e, (size_t)n * sizeof *of);

    memcpy(type.dims + 2, s->out, (size_t)s->rank * sizeof *s->out);
    for (int64_t k = 0; of && k < n; k++) {
        int64_t rest = k, count = 1;

        for (int d = s->rank - 1; d >= 0; d--) {
            count *= seen(s, d, rest % s->out[d]);
            rest /= s->out[d];
        }
        of[k] = count ? 1 / (float)count : 0;
    }
    return of ? emit_cast_from(e, emit_constant(e, &type, of), F32, dtype) : NULL;
}

/* Planes are images of one channel, and sums a convolution with ones. */
struct planes {
    struct conv_shape s;
    int64_t in[MAX_RANK], out[MAX_RANK]; /* of them all */
    struct value *ones;
};

static struct planes planes_of(struct emitter *e, const struct pool_shape *s, enum dtype dtype)
{
    struct planes p = { .s = { .batch = s->planes, .groups = 1, .in_channels = 1, .out_channels = 1, .rank = s->rank },
                        .in = { s->planes, 1 },
                        .out = { s->planes, 1 } };
    int64_t ones[MAX_RANK] = { 1, 1 };

    for (int d = 0; d < s->rank; d++) {
        p.s.in[d] = p.in[2 + d] = s->in[d];
        p.s.out[d] = p.out[2 + d] = s->out[d];
        p.s.kernel[d] = ones[2 + d] = s->kernel[d];
        p.s.strides[d] = s->strides[d];
        p.s.dilations[d] = s->dilations[d];
        p.s.pads_begin[d] = s->pads_begin[d];
    }
    p.ones = emit(e, "Expand", "", 2, emit_scalar(e, dtype, 1), emit_ints(e, 2 + s->rank, ones));
    return p;
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct grad_attrs *a = n->attrs;
    struct pool_shape s;
    struct planes p;
    struct value *v;

    if (!pooling_shape(NULL, &a->pooling, &a->x, &s))
        return false;
    p = planes_of(e, &s, in[0]->dtype);
    v = emit_reshape(e, n->in[0], 2 + s.rank, p.out);
    if (!s.sum)
        v = emit(e, "Mul", "", 2, v, shares(e, &s, in[0]->dtype));
    out[0] = emit_reshape(e, emit_conv_back(e, &p.s, v, p.ones), a->x.rank, a->x.dims);
    return !e->failed;
}

static bool plain_sums(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    int64_t dims[MAX_RANK] = { in[0]->dims[0], in[0]->dims[1] };
    struct pool_shape s;
    struct planes p;

    if (!pooling_shape(NULL, n->attrs, in[0], &s))
        return false;
    p = planes_of(e, &s, in[0]->dtype);
    memcpy(dims + 2, s.out, (size_t)s.rank * sizeof *dims);
    out[0] = emit_conv(e, &p.s, emit_reshape(e, n->in[0], 2 + s.rank, p.in), p.ones);
    out[0] = emit_reshape(e, out[0], in[0]->rank, dims);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "AveragePoolGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY -> T dX",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct grad_attrs),
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
    const struct pooling_attrs *forward = attrs_of(b);
    struct grad_attrs *a = emit_alloc(emitter_of(b), sizeof *a);
    struct value *d, *dy = upstream(b, 0);

    if (!a)
        return false;
    a->pooling = *forward;
    a->x = *type_in(b, 0);
    a->x.data = NULL;
    emit_private(emitter_of(b), &op_grad, a, 1, &d, NULL, 1, &dy);
    give(b, 0, d);
    return backward_ok(b);
}

/* -- sums -- */

const struct op sum_pool = {
    .name = "SumPool",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X -> T Y",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct pooling_attrs),
              .plain = plain_sums,
              .rank = rank_of_input,
              .infer = infer,
              .run = run,
              .gradient = gradient,
              .channels_last = pooling_channels_last,
              .cost = cost,
              .batch_independent = rows_of_first },
            { 0 },
        },
};

/* -- test -- */

#define CASES_7                                                                                                        \
    { "f64[2,3,6,4]", "kernel_shape=[2,2] strides=[2,2]", "f64[2,3,3,2]", 1 },                                         \
        { "f32[1,2,7,7]", "kernel_shape=[3,2] strides=[2,1] pads=[1,0,1,1]", "f32[1,2,4,7]", 1 },                      \
        { "f64[1,2,5,5]", "kernel_shape=[3,3] pads=[2,1,0,2] count_include_pad=1", "f64[1,2,5,6]", 1 },                \
        { "f64[2,2,7]", "kernel_shape=[3]", "f64[2,2,5]", 1 },                                                         \
        { "f64[1,1,4,3,4]", "kernel_shape=[2,2,2] strides=[2,1,2]", "f64[1,1,2,2,2]", 1 },                             \
        { "f64[1,2,5,6]", "kernel_shape=[2,2] auto_pad='SAME_UPPER' strides=[2,2]", "f64[1,2,3,3]", 1 },               \
        { "f64[1,2,5,6]", "kernel_shape=[2,2] auto_pad='SAME_LOWER'", "f64[1,2,5,6]", 1 },                             \
        { "f32[1,2,5,6]", "kernel_shape=[2,3] auto_pad='VALID'", "f32[1,2,4,4]", 1 },                                  \
        { "f32[0,2,5,6]", "kernel_shape=[2,2]", "f32[0,2,4,5]", 0 },                                                   \
    {                                                                                                                  \
        "f16[1,2,6,6]", "kernel_shape=[3,3] strides=[3,3]", "f16[1,2,2,2]", 0                                          \
    }
#define CASES_10                                                                                                       \
    { "f64[1,2,6,8]", "kernel_shape=[3,3] strides=[2,2] ceil_mode=1", "f64[1,2,3,4]", 1 },                             \
    {                                                                                                                  \
        "f64[1,1,6,6]", "kernel_shape=[3,3] strides=[2,2] pads=[1,1,0,0] ceil_mode=1 count_include_pad=1",             \
            "f64[1,1,3,3]", 1                                                                                          \
    }
#define CASES_19                                                                                                       \
    { "f64[1,2,7,8]", "kernel_shape=[3,2] dilations=[2,3]", "f64[1,2,3,5]", 1 },                                       \
    {                                                                                                                  \
        "f64[1,1,5,5]", "kernel_shape=[2,2] dilations=[2,2] pads=[1,1,1,1] count_include_pad=1", "f64[1,1,5,5]", 1     \
    }

static const struct op_case cases_1[] = {
    { "f64[1,2,7,7]", "kernel_shape=[3,2] strides=[2,1] pads=[1,0,1,1]", "f64[1,2,4,7]", 1 },
    { "f32[2,2,7]", "kernel_shape=[3]", "f32[2,2,5]", 1 },
    { 0 },
};
static const struct op_case cases_7[] = { CASES_7, { 0 } };
static const struct op_case cases_10[] = { CASES_7, CASES_10, { 0 } };
static const struct op_case cases_19[] = { CASES_7, CASES_10, CASES_19, { 0 } };
static const struct op_case cases_22[] = {
    CASES_7, CASES_10, CASES_19, { "bf16[1,2,6,6]", "kernel_shape=[3,3] strides=[3,3]", "bf16[1,2,2,2]", 0 }, { 0 },
};

#define ROW(version, type_list, parser, case_list)                                                                     \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = type_list, .attrs_size = sizeof(struct pooling_attrs),   \
        .parse = parser, .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient,                      \
        .channels_last = pooling_channels_last, .cost = cost, .batch_independent = rows_of_first, .cases = case_list   \
    }

const struct op op_average_pool = {
    .name = "AveragePool",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16", parse_19, cases_22),
            ROW(19, "T: floats", parse_19, cases_19),
            ROW(11, "T: floats", parse_10, cases_10),
            ROW(10, "T: floats", parse_10, cases_10),
            ROW(7, "T: floats", parse_7, cases_7),
            ROW(1, "T: floats", parse_1, cases_1),
            { 0 },
        },
};
