#include "ops/broadcast.h"
#include "ops/rank.h"

enum { A, B }; /* inputs */

bool broadcast_parse(struct parse *p, void *attrs)
{
    struct broadcast_attrs *a = attrs;
    const bool broadcast = attr_int(p, "broadcast", 0);

    a->has_axis = attr_given(p, "axis");
    a->axis = attr_int(p, "axis", 0);
    if (a->axis < -MAX_RANK || a->axis > MAX_RANK)
        return parse_error(p, "axis is %lld, at most %d dimensions are supported", (long long)a->axis, (int)MAX_RANK);
    if (a->has_axis && !broadcast)
        a->has_axis = false; /* "only valid when broadcast is 1": the shapes are equal then */
    return true;
}

/* B with dimensions of 1 at its end, as many as its place in A asks for: rank(A) - axis - rank(B). */
static struct value *widened(struct emitter *e, const struct node *n, int a, int b)
{
    const struct broadcast_attrs *at = n->attrs;
    const int64_t axis = at->axis < 0 ? at->axis + a : at->axis, more = a - axis - b;
    int64_t axes[MAX_RANK];

    if (axis < 0 || more < 0 || a > MAX_RANK) {
        char where[WHERE_TEXT];

        e->failed = !fail(e->report, KILN_BAD_MODEL, node_where(n, where),
                          "%d dimensions of 'B' at axis %lld do not fit the %d of 'A'", b, (long long)at->axis, a);
        return NULL;
    }
    for (int k = 0; k < more; k++)
        axes[k] = b + k;
    return more ? emit(e, "Unsqueeze", "", 2, n->in[B], emit_ints(e, (int)more, axes)) : n->in[B];
}

/* The same where the ranks are told while planning. */
static struct value *widened_late(struct emitter *e, const struct node *n)
{
    const struct broadcast_attrs *at = n->attrs;
    const int64_t one = 1, from = at->axis < 0 ? -at->axis : at->axis;
    struct value *shape = emit(e, "Shape", "", 1, n->in[B]), *left = emit_ints(e, 1, &from), *more;

    if (at->axis >= 0)
        left = emit(e, "Sub", "", 2, emit(e, "Shape", "", 1, emit(e, "Shape", "", 1, n->in[A])), left);
    more = emit(e, "Sub", "", 2, left, emit(e, "Shape", "", 1, shape));
    shape = emit(e, "Concat", "axis=0", 2, shape, emit(e, "Expand", "", 2, emit_ints(e, 1, &one), more));
    return emit(e, "Reshape", "allowzero=1", 2, n->in[B], shape);
}

bool broadcast_expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct broadcast_attrs *at = n->attrs;
    const int a = known_input(n, A).rank, b = known_input(n, B).rank;
    struct value *right = !at->has_axis ? n->in[B] : a >= 0 && b >= 0 ? widened(e, n, a, b) : widened_late(e, n);

    out[0] = emit(e, n->op_name, "", 2, n->in[A], right);
    return out[0];
}

const struct op_case broadcast_cases[] = {
    { "f64[2,3,4] f64[2,3,4]+", "", "f64[2,3,4]", 3 },
    { "f64[2,3,4] f64[4]+", "broadcast=1", "f64[2,3,4]", 3 },
    { "f64[2,3,4,5] f64[3,4]+", "broadcast=1 axis=1", "f64[2,3,4,5]", 3 },
    { "f32[2,3,4,5] f32[2]+", "broadcast=1 axis=0", "f32[2,3,4,5]", 3 },
    { "f32[2,3,4,5] f32[3]+", "broadcast=1 axis=-3", "f32[2,3,4,5]", 3 },
    { "f32[2,3] f32[]+", "broadcast=1", "f32[2,3]", 3 },
    { "f32[2,0,3] f32[0]+", "broadcast=1 axis=1", "f32[2,0,3]", 0 },
    { "f16[3,5] f16[3]+", "broadcast=1 axis=0", "f16[3,5]", 0 },
    { 0 },
};
