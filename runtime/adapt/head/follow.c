#include "adapt/head/head.h"
#include "ops/move.h"
#include "ops/registry.h"
#include <string.h>

/* Values of the head's units, as they are or rearranged: by value id. */
struct follow {
    struct head *h;
    bool *plain;
};

static const struct tensor *type(const struct head *h, const struct value *v)
{
    return &h->types->types[v->id];
}

/* Where the dimension of as many numbers, with as many before it, has gone; it never becomes that of the samples. */
static int by_place(const struct tensor *in, int axis, const struct tensor *out)
{
    const int64_t before = dims_product(in->dims, 0, axis), behind = dims_product(in->dims, axis + 1, in->rank);
    int found = CLASSES_LOST;

    for (int d = axis > 0; d < out->rank; d++) {
        if (out->dims[d] != in->dims[axis] || dims_product(out->dims, 0, d) != before ||
            dims_product(out->dims, d + 1, out->rank) != behind)
            continue;
        if (d == axis)
            return d;
        found = d;
    }
    return found;
}

/* Where a dimension of 1 has gone by which the others are the same: what is a Reshape of one unit is a Transpose of
 * several. */
static int by_move(const struct tensor *in, int axis, const struct tensor *out)
{
    for (int to = 1; in->rank == out->rank && in->dims[axis] == 1 && axis > 0 && to < out->rank; to++) {
        bool same = out->dims[to] == 1;

        for (int d = 0; same && d < in->rank; d++)
            same = d == axis || in->dims[d] == out->dims[head_moved(d, axis, to)];
        if (same)
            return to;
    }
    return CLASSES_LOST;
}

int head_moved(int d, int from, int to)
{
    return d == from ? to : d > from && d <= to ? d - 1 : d < from && d >= to ? d + 1 : d;
}

/* Where it is when the dimensions of the list are gone. */
static int without(const struct tensor *in, int axis, const struct tensor *list)
{
    struct ints axes;
    int before = 0;

    if (!list || !list->data)
        return CLASSES_LOST;
    ints_of(list, &axes);
    for (int k = 0; k < axes.count; k++) {
        const int d = wrap_axis(axes.v[k], in->rank);

        if (d == axis)
            return CLASSES_LOST;
        before += d >= 0 && d < axis;
    }
    return axis - before;
}

/* Where it is when dimensions of 1 have come in. */
static int among(int axis, const struct tensor *out, const struct tensor *list)
{
    bool added[MAX_RANK] = { false };
    struct ints axes;

    if (!list || !list->data)
        return CLASSES_LOST;
    ints_of(list, &axes);
    for (int k = 0; k < axes.count; k++)
        if (wrap_axis(axes.v[k], out->rank) >= 0)
            added[wrap_axis(axes.v[k], out->rank)] = true;
    for (int d = 0; d < out->rank; d++)
        if (!added[d] && axis-- == 0)
            return d;
    return CLASSES_LOST;
}

static int by_transpose(const struct node *n, int rank, int axis)
{
    for (int d = 0; d < rank; d++)
        if (transpose_from(n->attrs, rank, d) == axis)
            return d;
    return CLASSES_LOST;
}

/* A part of it was taken, or a sum over it: it stays where there are as many. */
static int by_count(const struct tensor *in, int axis, const struct tensor *out)
{
    if (axis < out->rank && out->dims[axis] == in->dims[axis])
        return axis;
    return axis > 1 && out->rank < in->rank && out->dims[axis - 1] == in->dims[axis] ? axis - 1 : CLASSES_LOST;
}

static bool keeps_place(const struct node *n)
{
    static const struct op *const ops[] = {
        &op_softmax, &op_log_softmax, &op_global_average_pool, &op_global_max_pool, &op_average_pool, &op_max_pool,
    };

    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        if (node_is(n, ops[k]))
            return true;
    return false;
}

/* The dimension of output 0 that has the classes, where dimension `axis` of input `from` has them. */
static int pass_on(const struct head *h, const struct node *n, int from, int axis)
{
    const struct tensor *in = type(h, n->in[from]), *out = type(h, n->out[0]);
    const struct tensor *list = n->inputs > 1 && n->in[1] ? type(h, n->in[1]) : NULL;

    if (!tensor_known(in) || !tensor_known(out) || (from && !node_elementwise(n)))
        return CLASSES_LOST;
    if (keeps_place(n))
        return axis;
    if (node_elementwise(n))
        return axis + out->rank - in->rank;
    if (node_is(n, &op_transpose))
        return by_transpose(n, in->rank, axis);
    if (node_is(n, &op_unsqueeze))
        return among(axis, out, list);
    if (node_is(n, &op_squeeze) && list)
        return without(in, axis, list);
    if (node_is(n, &op_reshape) && by_place(in, axis, out) < 0)
        return by_move(in, axis, out);
    if (n->def->flags & OP_REARRANGES)
        return by_place(in, axis, out);
    if (node_is(n, &op_reduce_mean) || node_is(n, &op_reduce_max) || node_is(n, &op_reduce_sum))
        return out->rank < in->rank ? without(in, axis, list) : by_count(in, axis, out);
    return node_is(n, &op_slice) || node_is(n, &op_gather) ? by_count(in, axis, out) : CLASSES_LOST;
}

/* Is that the bias of the layer: one number for each unit, added before anything else is done? */
static bool is_bias(const struct follow *f, const struct node *n, int from, const struct tensor *constant)
{
    const struct head *h = f->h;

    return node_is(n, &op_add) && !h->bias && f->plain[n->in[from]->id] && constant->rank > 0 &&
           tensor_count(constant) == h->units && head_message(h->a->model, n) &&
           (node_is(h->node, &op_matmul) || h->node->inputs < 3 || !h->node->in[2]);
}

/* What an elementwise node reads beside input `from`, whose classes are in dimension `axis` of the result. */
static void meet_constants(struct follow *f, const struct node *n, int from, int axis)
{
    struct head *h = f->h;
    const int rank = type(h, n->out[0])->rank;

    for (int k = 0; k < n->inputs; k++) {
        const struct tensor *t = k != from && n->in[k] && !h->active[n->in[k]->id] ? type(h, n->in[k]) : NULL;
        const int own = t ? axis - (rank - t->rank) : -1;

        if (own < 0 || t->dims[own] != h->units)
            continue;
        if (is_bias(f, n, from, t)) {
            h->bias = n;
            h->bias_input = k;
        } else if (h->units > 1 && !h->fixed)
            h->fixed = n;
    }
}

static void follow_node(struct follow *f, const struct node *n)
{
    struct head *h = f->h;
    int from = -1, axis = CLASSES_LOST;

    for (int k = n->inputs + n->captured; k-- > 0;)
        if (n->in[k] && h->classes[n->in[k]->id] != CLASSES_NONE)
            from = k;
    if (from < 0)
        return;
    if (from < n->inputs && n->out[0] && h->classes[n->in[from]->id] >= 0)
        axis = pass_on(h, n, from, h->classes[n->in[from]->id]);
    if (axis >= 0 && node_elementwise(n))
        meet_constants(f, n, from, axis);
    if (axis < 0 && !h->lost && h->classes[n->in[from]->id] >= 0)
        h->lost = n;
    for (int o = 0; o < n->slots; o++)
        if (n->out[o])
            h->classes[n->out[o]->id] = o ? CLASSES_LOST : axis;
    if (axis >= 0)
        f->plain[n->out[0]->id] = f->plain[n->in[from]->id] && (n->def->flags & OP_REARRANGES || node_is(n, &op_cast));
}

bool head_follow(struct head *h)
{
    struct follow f = { .h = h };

    h->classes = arena_array(h->a->arena, h->graph->value_count, sizeof *h->classes, h->a->report);
    f.plain = arena_array(h->a->arena, h->graph->value_count, sizeof *f.plain, h->a->report);
    if (!h->classes || !f.plain)
        return false;
    for (size_t k = 0; k < h->graph->value_count; k++)
        h->classes[k] = CLASSES_NONE;
    h->classes[h->node->out[0]->id] = h->axis;
    f.plain[h->node->out[0]->id] = true;
    for (size_t k = (size_t)h->node->id + 1; k < h->graph->node_count; k++)
        follow_node(&f, h->graph->nodes[k]);
    return true;
}
