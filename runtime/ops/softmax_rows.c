#include "ops/layout.h"
#include "ops/softmax.h"
#include "ops/widen.h"

/* -- read -- */

bool softmax_parse(struct parse *p, void *attrs)
{
    struct softmax_attrs *a = attrs;

    a->axis = attr_int(p, "axis", -1);
    return true;
}

bool softmax_parse_before(struct parse *p, void *attrs)
{
    struct softmax_attrs *a = attrs;

    a->axis = attr_int(p, "axis", 1);
    a->matrix = true;
    return true;
}

bool softmax_channels_last(const struct node *n, int rank, void *attrs)
{
    struct softmax_attrs *a = attrs;

    (void)n;
    a->channels_last = !a->matrix || (wrap_axis(a->axis, rank) >= 0 && wrap_axis(a->axis, rank) <= 1);
    return a->channels_last;
}

bool softmax_rows_apart(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    const struct softmax_attrs *a = n->attrs;

    (void)rows;
    return a->axis == types[0]->rank || wrap_axis(a->axis, types[0]->rank) > 0;
}

/* -- plan -- */

/* A scalar is a vector of one. The axis may be the rank in the old form: rows of one element, as the standard's words
 * then allowed. */
bool softmax_shape_of(const struct softmax_attrs *a, const struct tensor *x, struct softmax_shape *s)
{
    const int rank = x->rank ? x->rank : 1;
    const int axis = a->matrix && a->axis == rank ? rank : layout_wrap(a->channels_last && !a->matrix, rank, a->axis);

    if (axis < 0)
        return false;
    *s = (struct softmax_shape){ 1, 1, 1 };
    for (int d = 0; d < x->rank; d++)
        *(d < axis ? &s->outer : d == axis || a->matrix ? &s->n : &s->inner) *= x->dims[d];
    return true;
}

bool softmax_along(const struct softmax_attrs *a, int rank, int axis)
{
    return wrap_axis(a->axis, rank) == axis && (!a->matrix || axis == rank - 1);
}

bool softmax_shape_in(struct infer *i, const struct tensor *x, struct softmax_shape *s)
{
    const struct softmax_attrs *a = infer_attrs(i);

    return softmax_shape_of(a, x, s) || infer_error(i, "axis is %lld, must be in [%d, %d)", (long long)a->axis,
                                                    -(x->rank ? x->rank : 1), x->rank ? x->rank : 1);
}

static bool infer_like(struct infer *i, int from)
{
    const struct tensor *x = typed_in(i, from);
    struct softmax_shape s;

    if (!softmax_shape_in(i, x, &s))
        return false;
    may_reuse(i, 0, from);
    need_scratch(i, softmax_scratch(&s, x->dtype, infer_threads(i)));
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

bool softmax_infer(struct infer *i)
{
    return infer_like(i, 0);
}

/* -- run -- */

bool softmax_run(struct step *s, bool log_of)
{
    struct softmax_shape shape;

    if (softmax_shape_of(s->attrs, s->in[0], &shape))
        softmax(s->k, s->pool, &shape, s->in[0]->dtype, log_of, s->in[0]->data, s->out[0]->data, s->scratch);
    return true;
}

/* -- differentiate -- */

enum { GRAD_Y, GRAD_OUT };

bool softmax_grad_infer(struct infer *i)
{
    return infer_like(i, GRAD_Y);
}

bool softmax_grad_run(struct step *s, bool log_of)
{
    const struct tensor *dy = s->in[GRAD_Y];
    struct softmax_shape shape;

    if (softmax_shape_of(s->attrs, dy, &shape))
        softmax_grad(s->k, s->pool, &shape, dy->dtype, log_of, s->in[GRAD_OUT]->data, dy->data, s->out[0]->data,
                     s->scratch);
    return true;
}

/* The sum over what is normalised together, of each element. */
static struct value *sums_of(struct emitter *e, const struct softmax_attrs *a, int rank, struct value *x)
{
    const int axis = rank ? layout_wrap(a->channels_last && !a->matrix, rank, a->axis) : 0;
    int64_t axes[MAX_RANK];
    int count = 0;

    for (int d = a->matrix && a->axis == rank ? rank : axis; d < rank && (a->matrix || d == axis); d++)
        axes[count++] = d;
    return emit(e, "ReduceSum", "keepdims=1 noop_with_empty_axes=1", 2, x, emit_ints(e, count, axes));
}

bool softmax_spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out,
                       bool log_of)
{
    const enum dtype dtype = in[GRAD_Y]->dtype;
    const int rank = in[GRAD_Y]->rank;
    struct value *dy = emit_widened(e, n->in[GRAD_Y], dtype, WIDEN_HALVES), *d;
    struct value *y = emit_widened(e, n->in[GRAD_OUT], dtype, WIDEN_HALVES);

    if (log_of)
        d = emit(e, "Sub", "", 2, dy, emit(e, "Mul", "", 2, emit(e, "Exp", "", 1, y), sums_of(e, n->attrs, rank, dy)));
    else
        d = emit(e, "Mul", "", 2, y,
                 emit(e, "Sub", "", 2, dy, sums_of(e, n->attrs, rank, emit(e, "Mul", "", 2, y, dy))));
    out[0] = emit_narrowed(e, d, n->in[GRAD_Y], dtype, WIDEN_HALVES);
    return out[0];
}

bool softmax_gradient(struct backward *b, const struct op *grad)
{
    struct value *d;

    emit_private(emitter_of(b), grad, attrs_of(b), 1, &d, NULL, 2,
                 (struct value *[]){ upstream(b, 0), forward_out(b, 0) });
    give(b, 0, d);
    return backward_ok(b);
}
