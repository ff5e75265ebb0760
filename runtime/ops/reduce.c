#include "ops/reduce.h"
#include "ops/compute.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/view.h"
#include "ops/widen.h"
#include <string.h>

/* -- read -- */

bool reduce_parse(struct parse *p, void *attrs)
{
    struct reduce_attrs *a = attrs;

    a->keepdims = attr_int(p, "keepdims", 1) != 0;
    a->noop = attr_int(p, "noop_with_empty_axes", 0) != 0;
    return true;
}

bool reduce_parse_before(struct parse *p, void *attrs)
{
    struct reduce_attrs *a = attrs;

    a->keepdims = attr_int(p, "keepdims", 1) != 0;
    return ints_input(p, REDUCE_AXES, "axes");
}

bool reduce_parse_global(struct parse *p, void *attrs)
{
    struct reduce_attrs *a = attrs;

    (void)p;
    a->keepdims = a->spatial = true;
    return true;
}

bool reduce_channels_last(const struct node *n, int rank, void *attrs)
{
    struct reduce_attrs *a = attrs;
    const struct tensor *const axes =
        a->spatial || n->inputs <= REDUCE_AXES ? NULL : value_constant(n->in[REDUCE_AXES]);
    uint32_t mask = 0;

    for (int64_t k = 0; axes && axes->dtype == I64 && k < tensor_count(axes); k++) {
        const int d = wrap_axis(((const int64_t *)axes->data)[k], rank);

        mask |= d < 0 ? 0 : (uint32_t)1 << d;
    }
    a->channels_last = a->keepdims || mask == ((((uint32_t)1 << rank) - 1) & ~(uint32_t)3);
    return a->channels_last;
}

/* -- plan -- */

static uint32_t all_axes(int rank)
{
    return (uint32_t)(((uint64_t)1 << rank) - 1);
}

static uint32_t default_axes(const struct reduce_attrs *a, int rank)
{
    if (a->spatial)
        return rank > 2 ? all_axes(rank) & ~(uint32_t)3 : 0;
    return a->noop ? 0 : all_axes(rank);
}

/* A set of ONNX' axes as they lie. */
static uint32_t laid_out(const struct reduce_attrs *a, int rank, uint32_t axes)
{
    uint32_t mask = 0;

    for (int d = 0; d < rank; d++)
        if (axes >> d & 1)
            mask |= (uint32_t)1 << (rank > 1 ? layout_axis(a->channels_last, rank, d) : d);
    return mask;
}

/* The axes that are known to be right. */
static uint32_t axes_of(const struct reduce_attrs *a, const struct tensor *axes, int rank)
{
    uint32_t mask = 0;

    if (a->spatial || !axes || !tensor_count(axes))
        return laid_out(a, rank, default_axes(a, rank));
    for (int64_t k = 0; k < tensor_count(axes); k++)
        mask |= (uint32_t)1 << wrap_axis(((const int64_t *)axes->data)[k], rank);
    return laid_out(a, rank, mask);
}

/* With keepdims 0 as many dimensions go as there are axes. */
int reduce_rank(const struct node *n, int k)
{
    const struct reduce_attrs *a = n->attrs;
    const int x = rank_of_input(n, k), axes = known_length(n, REDUCE_AXES);

    if (a->keepdims || x < 0)
        return x;
    if (axes < 0 && n->inputs > REDUCE_AXES && n->in[REDUCE_AXES])
        return UNKNOWN;
    if (axes <= 0)
        return a->noop ? x : 0;
    return axes <= x ? x - axes : UNKNOWN;
}

/* Is the output the input itself where nothing is reduced? */
static bool infer(struct infer *i, bool itself)
{
    const struct reduce_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, REDUCE_DATA);
    struct ints axes = { .count = 0 };
    int64_t dims[MAX_RANK];
    struct reduce_shape s;
    uint32_t mask = 0;
    int rank = 0;

    if (a->spatial && x->rank < 2)
        return infer_error(i, "'X' has %d dimensions, must have at least 2", x->rank);
    if (!a->spatial && (!ints_in(i, REDUCE_AXES, &axes) || !axes_mask(i, &axes, x->rank, &mask)))
        return false;
    if (!axes.count)
        mask = default_axes(a, x->rank);
    mask = laid_out(a, x->rank, mask);
    for (int d = 0; d < x->rank; d++)
        if (!(mask >> d & 1) || a->keepdims)
            dims[rank++] = mask >> d & 1 ? 1 : x->dims[d];
    if (!set_out(i, 0, x->dtype, rank, dims))
        return false;
    if (!mask && itself) {
        view_of(i, 0, REDUCE_DATA);
        return true;
    }
    reduce_shape_of(&s, x, mask);
    need_scratch(i, reduce_scratch(&s));
    return true;
}

bool reduce_infer(struct infer *i)
{
    return infer(i, true);
}

bool reduce_infer_mapped(struct infer *i)
{
    return infer(i, false);
}

/* -- run -- */

bool reduce_run(struct step *s, enum reduction r)
{
    const struct reduce_attrs *a = s->attrs;
    const struct tensor *x = s->in[REDUCE_DATA];
    const uint32_t mask = axes_of(a, a->spatial ? NULL : s->in[REDUCE_AXES], x->rank);
    struct reduce_shape shape;

    if (!mask && r < REDUCE_MAPPED)
        return true;
    reduce_shape_of(&shape, x, mask);
    reduce(s->k, s->pool, &shape, r, x->dtype, x->data, s->out[0]->data, s->scratch);
    return true;
}

struct reduce_shape reduce_shape_in(const struct step *s)
{
    const struct tensor *x = s->in[REDUCE_DATA];
    struct reduce_shape shape;

    reduce_shape_of(&shape, x, axes_of(s->attrs, s->in[REDUCE_AXES], x->rank));
    return shape;
}

/* -- differentiate -- */

static uint32_t backward_axes(struct backward *b)
{
    const struct reduce_attrs *a = attrs_of(b);

    return axes_of(a, a->spatial ? NULL : type_in(b, REDUCE_AXES), type_in(b, REDUCE_DATA)->rank);
}

struct value *reduce_kept(struct backward *b, struct value *v)
{
    const struct reduce_attrs *a = attrs_of(b);
    const struct tensor *x = type_in(b, REDUCE_DATA);
    const uint32_t mask = backward_axes(b);
    int64_t kept[MAX_RANK];

    if (a->keepdims || !mask)
        return v;
    for (int d = 0; d < x->rank; d++)
        kept[d] = mask >> d & 1 ? 1 : x->dims[d];
    return emit_reshape(emitter_of(b), v, x->rank, kept);
}

/* How many elements of the input make one of the output. */
static int64_t reduced_count(struct backward *b)
{
    const struct tensor *x = type_in(b, REDUCE_DATA);
    const uint32_t mask = backward_axes(b);
    int64_t count = 1;

    for (int d = 0; d < x->rank; d++)
        count *= mask >> d & 1 ? x->dims[d] : 1;
    return count;
}

void reduce_give(struct backward *b, struct value *v)
{
    const struct tensor *x = type_in(b, REDUCE_DATA);
    struct emitter *e = emitter_of(b);

    v = reduce_kept(b, v);
    if (reduced_count(b) != 1)
        v = emit(e, "Expand", NULL, 2, v, emit_ints(e, x->rank, x->dims));
    give(b, REDUCE_DATA, v);
}

bool reduce_gradient(struct backward *b, bool mean)
{
    struct emitter *e = emitter_of(b);
    const int64_t count = reduced_count(b);
    struct value *g = upstream(b, 0);

    if (mean && count > 1)
        g = emit(e, "Mul", NULL, 2, g, emit_scalar(e, type_in(b, REDUCE_DATA)->dtype, 1 / (double)count));
    reduce_give(b, g);
    return backward_ok(b);
}

/* -- the gradients of maximum and product -- */

enum { GRAD_DY, GRAD_X, GRAD_Y };

typedef void reduce_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x,
                         const void *y, const void *dy, void *dx);

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_X);
    const enum dtype compute = dtype_compute(x->dtype);

    need_scratch(i, compute_bytes(x, compute) * 2 + compute_bytes(typed_in(i, GRAD_DY), compute) * 2);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

static bool grad_run(struct step *s, reduce_grad *grad)
{
    const uint32_t *mask = s->attrs;
    const struct tensor *x = s->in[GRAD_X];
    const enum dtype compute = dtype_compute(x->dtype);
    char *scratch = s->scratch;
    const void *values = compute_in(x, compute, &scratch);
    const void *y = compute_in(s->in[GRAD_Y], compute, &scratch);
    const void *dy = compute_in(s->in[GRAD_DY], compute, &scratch);
    void *dx = compute_out(s->out[0], compute, &scratch);
    struct reduce_shape shape;

    reduce_shape_of(&shape, x, *mask);
    grad(s->pool, &shape, compute, values, y, dy, dx);
    compute_store(s->out[0], compute, dx);
    return true;
}

static bool max_grad_run(struct step *s)
{
    return grad_run(s, reduce_max_grad);
}

static bool prod_grad_run(struct step *s)
{
    return grad_run(s, reduce_prod_grad);
}

/* dY / ties where X is Y. */
static bool spell_max(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct tensor *x = in[GRAD_X];
    const enum dtype compute = dtype_compute(x->dtype);
    const uint32_t mask = *(const uint32_t *)n->attrs;
    int64_t axes[MAX_RANK], kept[MAX_RANK];
    struct value *equal, *ties, *share;
    int count = 0;

    for (int d = 0; d < x->rank; d++) {
        kept[d] = mask >> d & 1 ? 1 : x->dims[d];
        if (mask >> d & 1)
            axes[count++] = d;
    }
    equal = emit(e, "Equal", "", 2, n->in[GRAD_X], emit_reshape(e, n->in[GRAD_Y], x->rank, kept));
    ties = emit(e, "ReduceSum", "keepdims=1", 2, emit_cast(e, equal, compute), emit_ints(e, count, axes));
    ties = emit(e, "Max", "", 2, ties, emit_scalar(e, compute, 1)); /* there are none where Y is NaN */
    share = emit_widened(e, emit_reshape(e, n->in[GRAD_DY], x->rank, kept), x->dtype, WIDEN_HALVES);
    share = emit_narrowed(e, emit(e, "Div", "", 2, share, ties), n->in[GRAD_X], x->dtype, WIDEN_HALVES);
    out[0] = emit(e, "Where", "", 3, equal, share, emit_scalar(e, x->dtype, 0));
    return out[0];
}

/* The axes of the mask behind the others: a matrix of what makes one element each. */
struct behind {
    int64_t from[MAX_RANK], dims[MAX_RANK]; /* dimension d was from[d] */
    int64_t back[MAX_RANK];
    int64_t matrix[2];
};

static struct behind axes_behind(uint32_t mask, const struct tensor *x)
{
    struct behind b = { .matrix = { 1, 1 } };
    int at = 0;

    for (int last = 0; last < 2; last++)
        for (int d = 0; d < x->rank; d++)
            if ((int)(mask >> d & 1) == last) {
                b.matrix[last] *= x->dims[d];
                b.dims[at] = x->dims[d];
                b.from[at] = d;
                b.back[d] = at++;
            }
    return b;
}

/* dY times the product of all before and that of all behind, which divides by nothing. */
static bool spell_prod(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct tensor *x = in[GRAD_X];
    const struct behind b = axes_behind(*(const uint32_t *)n->attrs, x);
    const int64_t column[] = { b.matrix[0], 1 };
    struct value *const axis = emit_scalar(e, I64, 1);
    struct value *dy = emit_widened(e, n->in[GRAD_DY], x->dtype, WIDEN_HALVES);
    struct value *v = emit_widened(e, n->in[GRAD_X], x->dtype, WIDEN_HALVES);

    v = emit_reshape(e, emit_transposed(e, v, x->rank, b.from), 2, b.matrix);
    v = emit(e, "Mul", "", 2, emit(e, "CumProd", "exclusive=1", 2, v, axis),
             emit(e, "CumProd", "exclusive=1 reverse=1", 2, v, axis));
    v = emit(e, "Mul", "", 2, v, emit_reshape(e, dy, 2, column));
    v = emit_transposed(e, emit_reshape(e, v, x->rank, b.dims), x->rank, b.back);
    out[0] = emit_narrowed(e, v, n->in[GRAD_X], x->dtype, WIDEN_HALVES);
    return out[0];
}

#define GRAD_ROW(runner, spelling)                                                                                     \
    {                                                                                                                  \
        .since = 1, .signature = "T dY, T X, T Y -> T dX", .types = "T: floats bf16", .attrs_size = sizeof(uint32_t),  \
        .infer = grad_infer, .run = runner, .spell_out = spelling, .no_gradient = "is a gradient itself"               \
    }

static const struct op op_max_grad = {
    .name = "ReduceMaxGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ GRAD_ROW(max_grad_run, spell_max), { 0 } },
};
static const struct op op_prod_grad = {
    .name = "ReduceProdGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ GRAD_ROW(prod_grad_run, spell_prod), { 0 } },
};

static bool grad_emit(struct backward *b, const struct op *grad)
{
    uint32_t *mask = emit_alloc(emitter_of(b), sizeof *mask);
    struct value *d;

    if (!mask)
        return false;
    *mask = backward_axes(b);
    if (!*mask) {
        give(b, REDUCE_DATA, upstream(b, 0));
        return backward_ok(b);
    }
    emit_private(emitter_of(b), grad, mask, 1, &d, NULL, 3,
                 (struct value *[]){ upstream(b, 0), forward_in(b, REDUCE_DATA), forward_out(b, 0) });
    give(b, REDUCE_DATA, d);
    return backward_ok(b);
}

bool reduce_max_gradient(struct backward *b)
{
    return grad_emit(b, &op_max_grad);
}

bool reduce_prod_gradient(struct backward *b)
{
    return grad_emit(b, &op_prod_grad);
}

/* -- test -- */

const struct op_case extreme_cases_before[] = { REDUCE_CASES_BEFORE("~", 1), { 0 } };
const struct op_case extreme_cases[] = {
    REDUCE_CASES("~", 1),
    { "i8[6,5] i64[1]{0}", "", "i8[1,5]", 0 },
    { "u8[6,5] i64[1]{1}", "", "u8[6,1]", 0 },
    { 0 },
};
const struct op_case extreme_cases_20[] = {
    { "f64[2,3,4]~ i64[1]{1}", "", "f64[2,1,4]", 1 },
    { "bool[6,5] i64[1]{1}", "", "bool[6,1]", 0 },
    { "bool[0,5] i64[1]{0}", "", "bool[1,5]", 0 },
    { 0 },
};
