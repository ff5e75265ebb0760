/* MaxUnpool, https://onnx.ai/onnx/operators/onnx__MaxUnpool.html
 *
 * Zeros, and each element of X at the place that I has for it: flat in the whole of what MaxPool with this window had as
 * its input, [N, C, (in - 1) * stride - pads + kernel ...]. Where output_shape is larger than that, there are zeros behind
 * it in each dimension. Of elements with one place the last one stays.
 *
 * The gradient of X is that of the output at its place, 0 for an element that did not stay. */
#include "kernels/parts.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/window.h"
#include <string.h>

enum { X, INDICES, OUTPUT_SHAPE }; /* inputs */

struct unpool {
    struct ints kernel, strides, pads;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct unpool *a = attrs;

    if (!attr_given(p, "kernel_shape"))
        return parse_error(p, "attribute 'kernel_shape' is missing");
    return window_list(p, "kernel_shape", &a->kernel, 1) && window_list(p, "strides", &a->strides, 1) &&
           window_list(p, "pads", &a->pads, 0);
}

/* -- plan -- */

/* What was pooled. */
struct pooled {
    int64_t dims[MAX_RANK];
};

/* While running `i` is NULL: what planning accepted cannot fail. */
static bool check_lists(struct infer *i, const struct unpool *a, int spatial)
{
    const struct ints *const lists[] = { &a->kernel, &a->strides, &a->pads };
    static const char *const names[] = { "kernel_shape", "strides", "pads" };

    for (int k = 0; k < 3; k++)
        if (lists[k]->count != (k == 2 ? 2 : 1) * spatial && (!k || lists[k]->count))
            return i && infer_error(i, "%s has %d values, must have %d", names[k], lists[k]->count,
                                    (k == 2 ? 2 : 1) * spatial);
    return true;
}

static bool pooled_from(struct infer *i, const struct unpool *a, const struct tensor *x, struct pooled *from)
{
    const int spatial = x->rank - 2;

    if (spatial < 1)
        return i && infer_error(i, "'X' has %d dimensions, must have at least 3", x->rank);
    if (!check_lists(i, a, spatial))
        return false;
    memcpy(from->dims, x->dims, sizeof from->dims);
    for (int d = 0; d < spatial; d++) {
        const int64_t pads = a->pads.count ? a->pads.v[d] + a->pads.v[spatial + d] : 0;
        int64_t *const n = &from->dims[2 + d];

        if (*n < 1)
            return i && infer_error(i, "dimension %d of 'X' is 0, must be at least 1", 2 + d);
        if (!mul_size(*n - 1, a->strides.count ? a->strides.v[d] : 1, n) || !add_size(*n, a->kernel.v[d], n))
            return i && infer_error(i, "dimension %d of the output would have more values than can be counted", 2 + d);
        *n -= pads;
        if (*n < 0)
            return i &&
                   infer_error(i, "dimension %d of the output would be %lld, must be at least 0", 2 + d, (long long)*n);
    }
    return true;
}

/* The output's dimensions are those of what was pooled, or larger. */
static bool given_shape(struct infer *i, const struct tensor *x, const struct pooled *from, int64_t *dims)
{
    struct ints shape;

    if (!ints_in(i, OUTPUT_SHAPE, &shape))
        return false;
    if (shape.count != x->rank)
        return infer_error(i, "'output_shape' has %d values, must have %d", shape.count, x->rank);
    for (int d = 0; d < x->rank; d++) {
        dims[d] = shape.v[d];
        if (dims[d] < from->dims[d] || (d < 2 && dims[d] != from->dims[d]))
            return infer_error(i, "output_shape[%d] is %lld, must be %s%lld", d, (long long)dims[d],
                               d < 2 ? "" : "at least ", (long long)from->dims[d]);
    }
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);
    struct pooled from;
    int64_t dims[MAX_RANK];
    char text[TYPE_TEXT];

    if (!same_shape(x, typed_in(i, INDICES)))
        return infer_error(i, "'I' is %s, must have the shape of 'X'", tensor_text(typed_in(i, INDICES), text));
    if (!pooled_from(i, infer_attrs(i), x, &from))
        return false;
    memcpy(dims, from.dims, sizeof dims);
    if (typed_in(i, OUTPUT_SHAPE) && !given_shape(i, x, &from, dims))
        return false;
    return set_out(i, 0, x->dtype, x->rank, dims);
}

/* -- run -- */

enum { OFTEN = 4096 }; /* elements after which the time is looked at */

/* Where an index of what was pooled is in the output; -1 where it is in neither. */
static int64_t place(const struct pooled *from, const struct tensor *y, int64_t index)
{
    int64_t at = 0, stride = 1;

    if (index < 0 || index >= dims_product(from->dims, 0, y->rank))
        return -1;
    for (int d = y->rank - 1; d >= 0; d--) {
        at += index % from->dims[d] * stride;
        index /= from->dims[d];
        stride *= y->dims[d];
    }
    return at;
}

static bool bad_index(struct step *s, const struct pooled *from, const struct tensor *indices, int64_t k)
{
    return step_error(s, "I[%lld] is %lld, must be in [0, %lld]", (long long)k,
                      (long long)((const int64_t *)indices->data)[k],
                      (long long)(dims_product(from->dims, 0, indices->rank) - 1));
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[X], *y = s->out[0];
    const int64_t *indices = s->in[INDICES]->data, n = tensor_count(x), zero = 0;
    const size_t size = dtype_size(x->dtype);
    struct pooled from;

    pooled_from(NULL, s->attrs, x, &from);
    move_fill(s->pool, size, &zero, tensor_count(y), y->data);
    for (int64_t k = 0; k < n && (k % OFTEN || !pool_late(s->pool)); k++) {
        const int64_t at = place(&from, y, indices[k]);

        if (at < 0)
            return bad_index(s, &from, s->in[INDICES], k);
        memcpy((char *)y->data + (size_t)at * size, (const char *)x->data + (size_t)k * size, size);
    }
    return true;
}

/* -- differentiate -- */

/* Inputs of the gradient: that of the output, and the indices. */
static bool grad_infer(struct infer *i)
{
    const struct tensor *dy = typed_in(i, 0), *indices = typed_in(i, 1);
    int64_t bytes;

    if (!mul_size(tensor_count(dy), (int64_t)sizeof(int64_t), &bytes))
        return infer_error(i, "the output is larger than can be counted");
    need_scratch(i, to_size(bytes)); /* which element stays at each place */
    return set_out(i, 0, dy->dtype, indices->rank, indices->dims);
}

static bool grad_run(struct step *s)
{
    const struct tensor *dy = s->in[0];
    const int64_t *indices = s->in[1]->data, n = tensor_count(s->in[1]);
    const size_t size = dtype_size(dy->dtype);
    int64_t *stays = s->scratch;

    for (int64_t k = 0; k < n && (k % OFTEN || !pool_late(s->pool)); k++) {
        const int64_t at = place(s->attrs, dy, indices[k]);

        if (at < 0)
            return bad_index(s, s->attrs, s->in[1], k);
        stays[at] = k;
    }
    for (int64_t k = 0; k < n && (k % OFTEN || !pool_late(s->pool)); k++) {
        const int64_t at = place(s->attrs, dy, indices[k]);
        char *const dx = (char *)s->out[0]->data + (size_t)k * size;

        if (stays[at] == k)
            memcpy(dx, (const char *)dy->data + (size_t)at * size, size);
        else
            memset(dx, 0, size);
    }
    return true;
}

/* It is linear: what flows back is put where X was, flat, among zeros, with more zeros behind where the output is
 * larger. */
static bool gradient_of_grad(struct backward *b)
{
    static const int64_t flat = -1;
    const struct pooled *from = attrs_of(b);
    const struct tensor *dy = type_in(b, 0);
    const int64_t n = dims_product(from->dims, 0, dy->rank);
    struct emitter *e = emitter_of(b);
    struct value *d = emit_zeros(e, dy->dtype, 1, &n);
    int64_t pads[2 * MAX_RANK] = { 0 };

    d = emit(e, "ScatterElements", "", 3, d, emit_reshape(e, forward_in(b, 1), 1, &flat),
             emit_reshape(e, upstream(b, 0), 1, &flat));
    d = emit_reshape(e, d, dy->rank, from->dims);
    for (int k = 0; k < dy->rank; k++)
        pads[dy->rank + k] = dy->dims[k] - from->dims[k];
    give(b, 0, emit(e, "Pad", "", 2, d, emit_ints(e, 2 * dy->rank, pads)));
    return backward_ok(b);
}

static const struct op op_grad = {
    .name = "MaxUnpoolGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, T2 I -> T dX",
                                       .types = "T: floats bf16; T2: i64",
                                       .attrs_size = sizeof(struct pooled),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct pooled *from = emit_alloc(e, sizeof *from);
    struct value *d;

    if (from && pooled_from(NULL, attrs_of(b), type_in(b, X), from) &&
        emit_private(e, &op_grad, from, 1, &d, NULL, 2, (struct value *[]){ upstream(b, 0), forward_in(b, INDICES) }))
        give(b, X, d);
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[1,1,2,2] i64[1,1,2,2]{5,7,13,15}", "kernel_shape=[2,2] strides=[2,2]", "f64[1,1,4,4]", 1 },                 \
        { "f64[1,1,2,2] i64[1,1,2,2]{5,7,13,15} i64[4]{1,1,5,6}", "kernel_shape=[2,2] strides=[2,2]", "f64[1,1,5,6]",  \
          1 },                                                                                                         \
        { "f64[2,2,3] i64[2,2,3]{0,0,2,3,4,5,6,8,8,11,10,9}", "kernel_shape=[3] pads=[1,1]", "f64[2,2,3]", 1 },        \
        { "f16[1,1,1,1,1] i64[1,1,1,1,1]{3}", "kernel_shape=[1,2,2]", "f16[1,1,1,2,2]", 0 },                           \
    {                                                                                                                  \
        "f32[0,2,2,2] i64[0,2,2,2]", "kernel_shape=[2,2] strides=[2,1]", "f32[0,2,4,3]", 0                             \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES,
                                           { "bf16[1,1,2] i64[1,1,2]{1,2}", "kernel_shape=[2]", "bf16[1,1,3]", 0 },
                                           { 0 } };

#define ROW(version, t, tests)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "T1 X, T2 I, T2 output_shape? -> T1 output", .types = "T1: " t "; T2: i64",     \
        .attrs_size = sizeof(struct unpool), .parse = parse, .rank = rank_of_input, .infer = infer, .run = run,        \
        .gradient = gradient, .cases = tests                                                                           \
    }

const struct op op_max_unpool = {
    .name = "MaxUnpool",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "floats bf16", cases_22), ROW(11, "floats", cases), ROW(9, "floats", cases), { 0 } },
};
