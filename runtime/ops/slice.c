/* Slice, https://onnx.ai/onnx/operators/onnx__Slice.html
 *
 * Along each of `axes` the elements starts, starts + steps, ... before ends. Indices below 0 count from the end, then
 * both are clamped to what is there: [0, n] going forward; [0, n - 1] and [-1, n - 1] going back. The gradient goes
 * back to where the elements came from, with zeros between: Pad where all steps are 1. */
#include "ops/cost.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/spelled.h"
#include "ops/view.h"
#include <string.h>

enum { DATA, STARTS, ENDS, AXES, STEPS };

struct slice {
    bool channels_last; /* the axes stay as ONNX counts them */
};

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    (void)attrs;
    if (!attr_given(p, "starts") || !attr_given(p, "ends"))
        return parse_error(p, "attribute '%s' is missing", attr_given(p, "starts") ? "ends" : "starts");
    return ints_input(p, STARTS, "starts") && ints_input(p, ENDS, "ends") && ints_input(p, AXES, "axes");
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct slice *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

/* -- plan -- */

/* What is taken, for every dimension. */
struct box {
    int rank;
    int64_t from[MAX_RANK]; /* dimensions of the input */
    int64_t start[MAX_RANK], step[MAX_RANK], dims[MAX_RANK];
};

static int64_t clamp(int64_t at, int64_t n, int64_t low, int64_t high)
{
    if (at < 0)
        at = at < -n ? -1 : at + n;
    return at < low ? low : at > high ? high : at;
}

static void box_axis(struct box *b, int d, int64_t start, int64_t end, int64_t step)
{
    const int64_t n = b->from[d], back = step < 0;
    uint64_t distance, stride;

    b->dims[d] = 0;
    b->step[d] = step;
    b->start[d] = 0;
    if (!n)
        return;
    start = clamp(start, n, 0, n - back);
    end = clamp(end, n, -back, n - back);
    if (back ? end >= start : start >= end)
        return;
    distance = (uint64_t)(back ? start - end : end - start);
    stride = back ? -(uint64_t)step : (uint64_t)step;
    b->start[d] = start;
    b->dims[d] = (int64_t)((distance - 1) / stride) + 1;
    if (b->dims[d] == 1)
        b->step[d] = 1; /* however long: nobody takes it */
}

/* The inputs' content must be known. What is wrong is told through `i`, which is NULL where infer has looked
 * already. */
static bool box_of(struct infer *i, const struct slice *a, struct box *b, const struct tensor *x,
                   const struct ints *starts, const struct ints *ends, const struct ints *axes,
                   const struct ints *steps)
{
    b->rank = x->rank;
    for (int d = 0; d < x->rank; d++) {
        b->from[d] = b->dims[d] = x->dims[d];
        b->start[d] = 0;
        b->step[d] = 1;
    }
    if (starts->count != ends->count || (axes && axes->count != starts->count) ||
        (steps && steps->count != starts->count))
        return i && infer_error(i, "'starts' has %d values, 'ends' %d, 'axes' %d, 'steps' %d: must be as many of each",
                                starts->count, ends->count, axes ? axes->count : starts->count,
                                steps ? steps->count : starts->count);
    if (starts->count > x->rank)
        return i && infer_error(i, "'starts' has %d values, must have at most %d, one for each dimension of 'data'",
                                starts->count, x->rank);
    for (int k = 0; k < starts->count; k++) {
        const int d = layout_wrap(a->channels_last, x->rank, axes ? axes->v[k] : k);

        if (d < 0)
            return false;
        if (steps && !steps->v[k])
            return i && infer_error(i, "steps[%d] is 0, must be any other number", k);
        box_axis(b, d, starts->v[k], ends->v[k], steps ? steps->v[k] : 1);
    }
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, DATA);
    struct ints starts, ends, axes, steps;
    struct box b;
    uint32_t mask;

    if (!ints_in(i, STARTS, &starts) || !ints_in(i, ENDS, &ends) || !ints_in(i, AXES, &axes) ||
        !ints_in(i, STEPS, &steps))
        return false;
    if (!axes_mask(i, &axes, x->rank, &mask) ||
        !box_of(i, infer_attrs(i), &b, x, &starts, &ends, typed_in(i, AXES) ? &axes : NULL,
                typed_in(i, STEPS) ? &steps : NULL))
        return false;
    return set_out(i, 0, x->dtype, b.rank, b.dims);
}

/* -- run -- */

/* The box of inputs that infer has checked. */
static void box_known(const struct slice *a, struct box *b, const struct tensor *const *in)
{
    struct ints starts, ends, axes, steps;

    ints_of(in[STARTS], &starts);
    ints_of(in[ENDS], &ends);
    ints_of(in[AXES], &axes);
    ints_of(in[STEPS], &steps);
    box_of(NULL, a, b, in[DATA], &starts, &ends, in[AXES] ? &axes : NULL, in[STEPS] ? &steps : NULL);
}

/* Strides of the box inside the whole, and where it starts. */
static int64_t inside(const struct box *b, int64_t *strides)
{
    int64_t at = 0;

    move_strides(b->rank, b->from, strides);
    for (int d = 0; d < b->rank; d++) {
        at += b->start[d] * strides[d];
        strides[d] *= b->step[d];
    }
    return at;
}

static bool run(struct step *s)
{
    const size_t size = dtype_size(s->in[DATA]->dtype);
    const struct tensor *in[STEPS + 1] = { 0 };
    struct move m = { .size = size };
    struct box b;
    int64_t at;

    if (!tensor_count(s->out[0]))
        return true;
    memcpy(in, s->in, (size_t)(s->node->inputs < STEPS + 1 ? s->node->inputs : STEPS + 1) * sizeof *in);
    box_known(s->attrs, &b, in);
    m.rank = b.rank;
    memcpy(m.dims, b.dims, sizeof b.dims);
    at = inside(&b, m.in);
    move_strides(b.rank, b.dims, m.out);
    move_run(s->k, s->pool, &m, (const char *)in[DATA]->data + at * (int64_t)size, s->out[0]->data);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct box *b = infer_attrs(i);

    return set_out(i, 0, typed_in(i, 0)->dtype, b->rank, b->from);
}

static bool grad_run(struct step *s)
{
    static const char zero[16];
    const size_t size = dtype_size(s->in[0]->dtype);
    const struct box *b = s->attrs;
    struct move m = { .size = size, .rank = b->rank };
    int64_t at;

    move_fill(s->pool, size, zero, tensor_count(s->out[0]), s->out[0]->data);
    if (!tensor_count(s->in[0]))
        return true;
    memcpy(m.dims, b->dims, sizeof b->dims);
    move_strides(b->rank, b->dims, m.in);
    at = inside(b, m.out);
    move_run(s->k, s->pool, &m, s->in[0]->data, (char *)s->out[0]->data + at * (int64_t)size);
    return true;
}

/* It is linear: what flows back is sliced as the data was. */
static bool gradient_of_grad(struct backward *b)
{
    const struct box *box = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct value *g = upstream(b, 0);
    int64_t end[MAX_RANK], axes[MAX_RANK];

    for (int d = 0; d < box->rank; d++) {
        end[d] = box->start[d] + box->dims[d] * box->step[d];
        end[d] = end[d] < 0 ? INT64_MIN : end[d]; /* before the first, not from the end on */
        axes[d] = d;
    }
    give(b, 0,
         emit(e, "Slice", "", 5, g, emit_ints(e, box->rank, box->start), emit_ints(e, box->rank, end),
              emit_ints(e, box->rank, axes), emit_ints(e, box->rank, box->step)));
    return backward_ok(b);
}

/* Axis by axis, what was read goes where it was. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct box *b = n->attrs;
    int64_t dims[MAX_RANK];
    struct value *v = n->in[0];

    memcpy(dims, b->dims, sizeof dims);
    for (int d = 0; d < b->rank; d++) {
        int64_t *at = emit_alloc(e, (size_t)b->dims[d] * sizeof *at);

        if (b->start[d] == 0 && b->step[d] == 1 && b->dims[d] == b->from[d])
            continue;
        for (int64_t k = 0; at && k < b->dims[d]; k++)
            at[k] = b->start[d] + k * b->step[d];
        if (at)
            v = emit_added_up(e, v, in[0]->dtype, b->rank, dims, d,
                              emit_constant(e, &(struct tensor){ .dtype = I64, .rank = 1, .dims = { b->dims[d] } }, at),
                              b->from[d]);
        dims[d] = b->from[d];
    }
    out[0] = v;
    return !e->failed;
}

static const struct op slice_grad = {
    .name = "SliceGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct box),
                                       .plain = plain,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

static struct value *emit_pad(struct emitter *e, const struct box *b, struct value *g)
{
    int64_t pads[2 * MAX_RANK];

    for (int d = 0; d < b->rank; d++) {
        pads[d] = b->start[d];
        pads[b->rank + d] = b->from[d] - b->start[d] - b->dims[d];
    }
    return emit(e, "Pad", "", 2, g, emit_ints(e, 2 * b->rank, pads));
}

static bool gradient(struct backward *b)
{
    const struct tensor *in[STEPS + 1];
    struct emitter *e = emitter_of(b);
    struct value *g = upstream(b, 0);
    struct box *box;
    bool dense = true;

    if (!wants(b, DATA))
        return backward_ok(b);
    for (int k = DATA; k <= STEPS; k++) {
        in[k] = type_in(b, k);
        if (k != DATA && in[k] && !in[k]->data && tensor_count(in[k]))
            return backward_error(b, "what is sliced is only known while running");
    }
    box = emit_alloc(e, sizeof *box);
    if (!box)
        return backward_ok(b);
    box_known(attrs_of(b), box, in);
    for (int d = 0; d < box->rank; d++)
        dense = dense && box->step[d] == 1;
    if (dense)
        g = emit_pad(e, box, g);
    else
        emit_private(e, &slice_grad, box, 1, &g, NULL, 1, (struct value *[]){ g });
    give(b, DATA, g);
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "f32[4,5]", "starts=[1,0] ends=[3,-1] axes=[0,1]", "f32[2,4]", 1 },
    { "f64[4,5]", "starts=[-2] ends=[1000] axes=[1]", "f64[4,2]", 1 },
    { "str[4,5]", "starts=[1,2] ends=[2,3]", "str[1,1]", 0 },
    { "f32[4]", "starts=[3] ends=[1]", "f32[0]", 0 },
    { 0 },
};
static const struct op_case cases_10[] = {
    { "f32[4,5] i64[2]{1,0} i64[2]{3,-1}", "", "f32[2,4]", 1 },
    { "f64[4,5] i64[2]{3,-1} i64[2]{-100,0} i64[2]{0,-1} i64[2]{-1,-2}", "", "f64[4,2]", 1 },
    { "f32[7,3] i32[1]{0} i32[1]{100} i32[1]{0} i32[1]{3}", "", "f32[3,3]", 1 },
    { "f32[6,2,9] i64[1]{1} i64[1]{1000000000000000000} i64[1]{2} i64[1]{2}", "", "f32[6,2,4]", 1 },
    { "f16[4,6] i64[1]{5} i64[1]{-1000000000000000000} i64[1]{1} i64[1]{-1}", "", "f16[4,6]", 0 },
    { "str[4] i64[1]{2} i64[1]{4}", "", "str[2]", 0 },
    { "c128[5,5] i64[1]{4} i64[1]{0} i64[1]{-2} i64[1]{-3}", "", "c128[2,5]", 0 },
    { "f32[4] i64[1]{3} i64[1]{1}", "", "f32[0]", 0 },
    { "f32[0,3] i64[1]{1} i64[1]{3} i64[1]{1}", "", "f32[0,2]", 0 },
    { "u8[] i64[0] i64[0]", "", "u8[]", 0 },
    { 0 },
};

#define ROW(version, t, ...)                                                                                           \
    {                                                                                                                  \
        .since = version, .types = "T: " t, .cost = cost_of_picking, .attrs_size = sizeof(struct slice),               \
        .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient, .flags = OP_MOVES,                    \
        .channels_last = channels_last, __VA_ARGS__                                                                    \
    }
#define ROW_10(version, t)                                                                                             \
    ROW(version, t "; Tind: i32 i64",                                                                                  \
        .signature = "T data, Tind starts, Tind ends, Tind axes?, Tind steps? -> T output", .cases = cases_10)

const struct op op_slice = {
    .name = "Slice",
    .domain = "",
    .defs =
        (const struct op_def[]){ ROW_10(13, "all bf16"),
                                 ROW_10(11, "all"),
                                 ROW_10(10, "all"),
                                 ROW(1, "all", .signature = "T data -> T output", .parse = parse_1, .cases = cases_1),
                                 { 0 } },
};
