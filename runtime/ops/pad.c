/* Pad, https://onnx.ai/onnx/operators/onnx__Pad.html
 *
 * Adds pads[k] elements before and pads[k + axes] behind along each axis, or takes elements away where they are
 * negative. What is added is a constant, the nearest element (edge), or the input (after what is taken away) continued
 * as in a mirror (reflect: the outermost element stands once; further than its end it is mirrored again) or from its
 * other end (wrap: since 19, but PyTorch's exporter writes it in 18, too).
 *
 * The gradient of constant is taken away again; the constant's is the sum over what was added. The other modes add each
 * element of dY to the element of dX that it came from. */
#include "ops/pad.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/resample.h"
#include "ops/spelled.h"
#include "ops/view.h"
#include "tensor/half.h"
#include <stdio.h>
#include <string.h>

/* -- read -- */

static const char *const modes[] = { "constant", "reflect", "edge", "wrap", NULL };
static const char *const modes_2[] = { "constant", "reflect", "edge", NULL };

static bool parse_19(struct parse *p, void *attrs)
{
    struct pad *a = attrs;

    a->mode = (enum pad_mode)attr_choice(p, "mode", modes, PAD_CONSTANT);
    return true;
}

static bool parse_11(struct parse *p, void *attrs)
{
    struct pad *a = attrs;

    a->mode = (enum pad_mode)attr_choice(p, "mode", modes_2, PAD_CONSTANT);
    return true;
}

static bool parse_before(struct parse *p, struct pad *a, const char *pads)
{
    if (!attr_given(p, pads))
        return parse_error(p, "attribute '%s' is missing", pads);
    a->value = attr_float(p, "value", 0);
    return parse_11(p, a) && ints_input(p, PAD_PADS, pads);
}

static bool parse_2(struct parse *p, void *attrs)
{
    return parse_before(p, attrs, "pads");
}

static bool parse_1(struct parse *p, void *attrs)
{
    return parse_before(p, attrs, "paddings");
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct pad *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

/* -- plan -- */

/* For each dimension: how much is added on both sides (negative: taken away), and what that makes. */
struct layout {
    int rank;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    int64_t from[MAX_RANK]; /* dimensions of the input */
    int64_t kept[MAX_RANK]; /* of it, what is not taken away */
    int64_t dims[MAX_RANK]; /* of the output */
};

static int64_t taken(int64_t pad)
{
    return pad < 0 ? -pad : 0;
}

static int64_t added(int64_t pad)
{
    return pad > 0 ? pad : 0;
}

/* The content of the inputs must be known. What is wrong is told through `i`, which is NULL where infer has looked
 * already. */
static bool layout_of(struct infer *i, struct layout *l, const struct pad *a, const struct tensor *x,
                      const struct ints *pads, const struct ints *axes)
{
    const int count = axes ? axes->count : x->rank;

    *l = (struct layout){ .rank = x->rank };
    if (pads->count != 2 * count)
        return i && infer_error(i, "'pads' has %d values, must have %d, two for each axis", pads->count, 2 * count);
    for (int k = 0; k < count; k++) {
        const int d = layout_wrap(a->channels_last, x->rank, axes ? axes->v[k] : k);

        if (d < 0)
            return false;
        if (pads->v[k] == INT64_MIN || pads->v[count + k] == INT64_MIN)
            return i && infer_error(i, "'pads' takes more away from axis %d than there is", d);
        l->begin[d] = pads->v[k];
        l->end[d] = pads->v[count + k];
    }
    for (int d = 0; d < x->rank; d++) {
        l->from[d] = x->dims[d];
        if (!add_size(taken(l->begin[d]), taken(l->end[d]), &l->kept[d]) || l->kept[d] > x->dims[d])
            return i &&
                   infer_error(i, "'pads' takes %lld and %lld away from axis %d, which has %lld",
                               (long long)taken(l->begin[d]), (long long)taken(l->end[d]), d, (long long)x->dims[d]);
        l->kept[d] = x->dims[d] - l->kept[d];
        if (!add_size(l->kept[d], added(l->begin[d]), &l->dims[d]) ||
            !add_size(l->dims[d], added(l->end[d]), &l->dims[d]))
            return i && infer_error(i, "axis %d of the output would have more values than can be counted", d);
        if (a->mode != PAD_CONSTANT && !l->kept[d] && l->dims[d])
            return i && infer_error(i, "axis %d has 0 values, mode '%s' must have at least 1 to pad with", d,
                                    modes[a->mode]);
    }
    return true;
}

/* The tables of move_pick: for each dimension of the output the offset in the input. */
static bool table_bytes(const struct layout *l, size_t *bytes)
{
    int64_t sum = 0;

    *bytes = 0;
    for (int d = 0; d < l->rank; d++)
        if (!add_size(sum, l->dims[d], &sum))
            return false;
    for (int d = 0; d < l->rank; d++)
        if (!l->dims[d])
            return true; /* nothing is picked */
    if (!mul_size(sum, (int64_t)sizeof(int64_t), &sum))
        return false;
    *bytes = (size_t)sum;
    return true;
}

static bool infer(struct infer *i)
{
    const struct pad *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, PAD_DATA), *value = typed_in(i, PAD_VALUE);
    struct ints pads, axes;
    uint32_t mask;
    struct layout l;
    size_t bytes;

    if (value && tensor_count(value) != 1)
        return infer_error(i, "'constant_value' has %lld values, must have 1", (long long)tensor_count(value));
    if (!ints_in(i, PAD_PADS, &pads) || !ints_in(i, PAD_AXES, &axes))
        return false;
    if (!axes_mask(i, &axes, x->rank, &mask) || !layout_of(i, &l, a, x, &pads, typed_in(i, PAD_AXES) ? &axes : NULL))
        return false;
    if (a->mode != PAD_CONSTANT) {
        if (!table_bytes(&l, &bytes))
            return infer_error(i, "the output would have more values than can be counted");
        need_scratch(i, bytes);
    }
    return set_out(i, 0, x->dtype, l.rank, l.dims);
}

/* -- run -- */

static const struct tensor *input(const struct step *s, int k)
{
    return k < s->node->inputs ? s->in[k] : NULL;
}

static void layout_known(struct layout *l, const struct pad *a, const struct tensor *x, const struct tensor *p,
                         const struct tensor *axes_input)
{
    struct ints pads, axes;

    ints_of(p, &pads);
    ints_of(axes_input, &axes);
    layout_of(NULL, l, a, x, &pads, axes_input ? &axes : NULL);
}

/* The element of the input, along one dimension, that stands at `at` of the output. */
static int64_t source(const struct layout *l, int mode, int d, int64_t at)
{
    const int64_t n = l->kept[d], first = taken(l->begin[d]), period = mode == PAD_REFLECT ? 2 * (n - 1) : n;

    at -= added(l->begin[d]);
    if (mode == PAD_EDGE || period == 0)
        return first + (at < 0 ? 0 : at >= n ? n - 1 : at);
    at %= period;
    if (at < 0)
        at += period;
    return first + (at < n ? at : period - at);
}

static bool run_constant(struct step *s, const struct pad *a, const struct layout *l)
{
    const struct tensor *x = s->in[PAD_DATA], *y = s->out[0], *value = input(s, PAD_VALUE);
    const size_t size = dtype_size(x->dtype);
    int64_t from[MAX_RANK], to[MAX_RANK], from_at = 0, to_at = 0;
    double f64 = (double)a->value;
    float f32 = a->value;
    uint16_t f16 = f32_to_f16(f32);
    char zero[16] = { 0 };
    const void *fill = value             ? value->data
                       : x->dtype == F32 ? (void *)&f32
                       : x->dtype == F64 ? (void *)&f64
                       : x->dtype == F16 ? (void *)&f16
                                         : zero;

    move_fill(s->pool, size, fill, tensor_count(y), y->data);
    move_strides(l->rank, l->from, from);
    move_strides(l->rank, l->dims, to);
    for (int d = 0; d < l->rank; d++) {
        from_at += taken(l->begin[d]) * from[d];
        to_at += added(l->begin[d]) * to[d];
    }
    move_box(s->k, s->pool, size, l->rank, l->kept, l->from, from_at, x->data, l->dims, to_at, y->data);
    return true;
}

static bool run(struct step *s)
{
    const struct pad *a = s->attrs;
    const struct tensor *x = s->in[PAD_DATA], *y = s->out[0];
    struct pick p = { .size = dtype_size(x->dtype), .rank = x->rank };
    int64_t strides[MAX_RANK], *table = s->scratch;
    struct layout l;

    layout_known(&l, a, x, input(s, PAD_PADS), input(s, PAD_AXES));
    if (!tensor_count(y))
        return true;
    if (a->mode == PAD_CONSTANT)
        return run_constant(s, a, &l);
    move_strides(l.rank, l.from, strides);
    for (int d = 0; d < l.rank; d++) {
        p.dims[d] = l.dims[d];
        p.pick[d] = table;
        for (int64_t at = 0; at < l.dims[d]; at++)
            *table++ = source(&l, a->mode, d, at) * strides[d];
    }
    move_pick(s->pool, &p, x->data, y->data);
    return true;
}

/* -- differentiate -- */

struct pad_grad {
    int mode;
    struct layout layout;
};

static void sums_of(const struct pad_grad *a, enum dtype dtype, struct resample *r)
{
    *r = (struct resample){ .dtype = dtype, .rank = a->layout.rank, .adjoint = true };
    memcpy(r->dims, a->layout.from, sizeof r->dims);
    for (int d = 0; d < r->rank; d++)
        if (a->layout.begin[d] || a->layout.end[d])
            r->taps[r->count++] =
                (struct taps){ .axis = d, .in = a->layout.from[d], .out = a->layout.dims[d], .width = 1 };
}

static bool grad_infer(struct infer *i)
{
    const struct pad_grad *a = infer_attrs(i);
    struct resample r;
    size_t bytes;

    sums_of(a, typed_in(i, 0)->dtype, &r);
    if (!resample_scratch(&r, &bytes))
        return infer_error(i, "the tensors are larger than can be counted");
    need_scratch(i, bytes);
    return set_out(i, 0, r.dtype, r.rank, r.dims);
}

static bool grad_run(struct step *s)
{
    const struct pad_grad *a = s->attrs;
    struct resample r;

    sums_of(a, s->in[0]->dtype, &r);
    resample_tables(&r, s->scratch);
    for (int k = 0; k < r.count; k++)
        for (int64_t at = 0; at < r.taps[k].out; at++) {
            r.taps[k].index[at] = source(&a->layout, a->mode, r.taps[k].axis, at);
            r.taps[k].weight[at] = 1;
        }
    resample_run(s, &r, s->in[0]->data, s->out[0]->data);
    return true;
}

static bool gradient_of_grad(struct backward *b); /* below */

/* Axis by axis, what stands in the pads goes back to where it came from. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct pad_grad *a = n->attrs;
    int64_t dims[MAX_RANK];
    struct value *v = n->in[0];

    memcpy(dims, a->layout.dims, sizeof dims);
    for (int d = 0; d < a->layout.rank; d++) {
        const struct tensor type = { .dtype = I64, .rank = 1, .dims = { dims[d] } };
        int64_t *at = emit_alloc(e, (size_t)dims[d] * sizeof *at);

        if (!a->layout.begin[d] && !a->layout.end[d])
            continue;
        for (int64_t k = 0; at && k < dims[d]; k++)
            at[k] = source(&a->layout, a->mode, d, k);
        if (at)
            v = emit_added_up(e, v, in[0]->dtype, a->layout.rank, dims, d, emit_constant(e, &type, at),
                              a->layout.from[d]);
        dims[d] = a->layout.from[d];
    }
    out[0] = v;
    return !e->failed;
}

static const struct op pad_grad = {
    .name = "PadGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct pad_grad),
                                       .plain = plain,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

static struct value *both_pads(struct emitter *e, const struct layout *l, int sign)
{
    int64_t pads[2 * MAX_RANK];

    for (int d = 0; d < l->rank; d++) {
        pads[d] = sign * l->begin[d];
        pads[l->rank + d] = sign * l->end[d];
    }
    return emit_ints(e, 2 * l->rank, pads);
}

/* It is linear: what flows back is padded as the data was. */
static bool gradient_of_grad(struct backward *b)
{
    const struct pad_grad *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    char mode[32];

    snprintf(mode, sizeof mode, "mode='%s'", modes[a->mode]);
    give(b, 0, emit(e, "Pad", mode, 2, upstream(b, 0), both_pads(e, &a->layout, 1)));
    return backward_ok(b);
}

/* The constant stands wherever a pad of ones around zeros has its ones. */
static struct value *value_gradient(struct backward *b, const struct layout *l)
{
    const struct tensor *value = type_in(b, PAD_VALUE);
    struct emitter *e = emitter_of(b);
    struct value *mask = emit_zeros(e, value->dtype, l->rank, l->from);

    mask = emit(e, "Pad", "", 3, mask, both_pads(e, l, 1), emit_scalar(e, value->dtype, 1));
    mask = emit(e, "ReduceSum", "keepdims=0", 1, emit(e, "Mul", "", 2, upstream(b, 0), mask));
    return emit_reshape(e, mask, value->rank, value->dims);
}

static bool gradient(struct backward *b)
{
    const struct pad *a = attrs_of(b);
    const struct tensor *x = type_in(b, PAD_DATA), *pads = type_in(b, PAD_PADS), *axes = type_in(b, PAD_AXES);
    struct emitter *e = emitter_of(b);
    struct pad_grad *grad = emit_alloc(e, sizeof *grad);
    struct value *dx = NULL;

    if (!grad)
        return backward_ok(b);
    if ((!pads->data && tensor_count(pads)) || (axes && !axes->data && tensor_count(axes)))
        return backward_error(b, "the pads are only known while running");
    grad->mode = a->mode;
    layout_known(&grad->layout, a, x, pads, axes);
    if (wants(b, PAD_DATA)) {
        if (a->mode == PAD_CONSTANT)
            dx = emit(e, "Pad", "", 2, upstream(b, 0), both_pads(e, &grad->layout, -1));
        else
            emit_private(e, &pad_grad, grad, 1, &dx, NULL, 1, (struct value *[]){ upstream(b, 0) });
        give(b, PAD_DATA, dx);
    }
    if (type_in(b, PAD_VALUE) && wants(b, PAD_VALUE))
        give(b, PAD_VALUE,
             a->mode == PAD_CONSTANT
                 ? value_gradient(b, &grad->layout)
                 : emit_zeros(e, x->dtype, type_in(b, PAD_VALUE)->rank, type_in(b, PAD_VALUE)->dims));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_2[] = {
    { "f32[2,3]", "pads=[1,0,0,2]", "f32[3,5]", 1 },
    { "f64[2,3,4]", "pads=[0,1,2,0,-1,1] value=2.5", "f64[2,3,7]", 1 },
    { "f16[2,3]", "pads=[0,1,0,1] value=-1.5", "f16[2,5]", 0 },
    { "f32[2,3]", "mode='reflect' pads=[1,2,0,1]", "f32[3,6]", 1 },
    { "f64[2,3]", "mode='edge' pads=[0,2,3,1]", "f64[5,6]", 1 },
    { "f32[0,3]", "pads=[1,0,0,0]", "f32[1,3]", 0 },
    { 0 },
};
#define CASES_11                                                                                                       \
    { "f32[2,3] i64[4]{1,0,0,2}", "", "f32[3,5]", 1 }, { "f64[2,3] i64[4]{-1,1,0,-1} f64[]", "", "f64[1,3]", 5 },      \
        { "f32[2,2,3] i64[6]{0,2,1,0,2,3} f32[1]", "", "f32[2,6,7]", 5 },                                              \
        { "i8[3] i64[2]{2,2} i8[]", "", "i8[7]", 0 }, { "f64[4] i64[2]{7,5}", "mode='reflect'", "f64[16]", 1 },        \
        { "f32[1,3] i64[4]{2,1,1,1}", "mode='reflect'", "f32[4,5]", 1 },                                               \
        { "f32[2,3,4] i64[6]{0,1,2,0,-1,1}", "mode='edge'", "f32[2,3,7]", 1 },                                         \
        { "f64[4,3] i64[4]{-1,2,1,0}", "mode='reflect'", "f64[4,5]", 1 },                                              \
        { "f16[2,3] i64[4]{1,1,1,1}", "mode='edge'", "f16[4,5]", 0 },                                                  \
        { "f32[2,0] i64[4]{1,0,1,0}", "mode='edge'", "f32[4,0]", 0 },                                                  \
    {                                                                                                                  \
        "u32[] i64[0]", "", "u32[]", 0                                                                                 \
    }

static const struct op_case cases_11[] = { CASES_11, { 0 } };
static const struct op_case cases_18[] = {
    CASES_11,
    { "str[2,3] i64[2]{1,2} str[] i64[1]{-1}", "", "str[2,6]", 0 },
    { "f32[2,3,4] i64[4]{1,0,0,2} - i32[2]{2,0}", "", "f32[4,3,5]", 1 },
    { "c128[3] i64[2]{2,1} - i64[1]{0}", "mode='reflect'", "c128[6]", 0 },
    { "f32[2,5] i64[2]{2,-1} - i64[1]{1}", "mode='wrap'", "f32[2,6]", 1 },
    { 0 },
};
static const struct op_case cases_1[] = {
    { "f32[2,3]", "paddings=[1,0,0,2] value=.5", "f32[3,5]", 1 },
    { "f64[4]", "paddings=[1,2] mode='reflect'", "f64[7]", 1 },
    { 0 },
};
static const struct op_case cases_19[] = {
    CASES_11,
    { "f64[3,2] i64[4]{4,1,2,3}", "mode='wrap'", "f64[9,6]", 1 },
    { "f32[2,5] i64[2]{2,-1} - i64[1]{1}", "mode='wrap'", "f32[2,6]", 1 },
    { "bool[4] i64[2]{3,3}", "mode='wrap'", "bool[10]", 0 },
    { 0 },
};

#define ROW(version, t, ...)                                                                                           \
    {                                                                                                                  \
        .since = version, .types = "T: " t, .attrs_size = sizeof(struct pad), .rank = rank_of_input, .infer = infer,   \
        .run = run, .gradient = gradient, .flags = OP_MOVES, .channels_last = channels_last, __VA_ARGS__               \
    }
#define ROW_18(version, small, parser, tests)                                                                          \
    ROW(version, "all bf16" small "; I: i64; Tind: i32 i64",                                                           \
        .signature = "T data, I pads, T constant_value?, Tind axes? -> T output", .parse = parser, .cases = tests)
#define ROW_11(version, t)                                                                                             \
    ROW(version, t "; I: i64", .signature = "T data, I pads, T constant_value? -> T output", .parse = parse_11,        \
        .cases = cases_11)

const struct op op_pad = {
    .name = "Pad",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW_18(25, " ir13", parse_19, cases_19),
            ROW_18(24, " ir12", parse_19, cases_19),
            ROW_18(23, " ir11", parse_19, cases_19),
            ROW_18(21, " ir10", parse_19, cases_19),
            ROW_18(19, "", parse_19, cases_19),
            ROW_18(18, "", parse_19, cases_18),
            ROW_11(13, "all bf16"),
            ROW_11(11, "floats ints uints"),
            ROW(2, "floats", .signature = "T data -> T output", .parse = parse_2, .cases = cases_2),
            ROW(1, "floats", .signature = "T data -> T output", .parse = parse_1, .cases = cases_1),
            { 0 } },
};
