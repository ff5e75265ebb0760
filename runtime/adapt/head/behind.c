#include "adapt/head/remake.h"
#include "data/element.h"
#include "ops/move.h"
#include "ops/registry.h"
#include <string.h>

enum { SEPARATE_AXIS = 13 }; /* the opset from which Softmax is along one dimension, not all from it on */

static const struct tensor *type(const struct head *h, const struct value *v)
{
    return &h->types->types[v->id];
}

/* -- shapes -- */

/* By value id: made of constants alone, sizes of what the caller gives left out, too. */
static bool *find_settled(const struct head *h, struct report *r)
{
    bool *settled = arena_array(h->a->arena, h->graph->value_count, sizeof *settled, r);

    for (size_t k = 0; settled && k < h->graph->value_count; k++)
        settled[k] = h->graph->values[k]->initializer;
    for (size_t k = 0; settled && k < h->graph->node_count; k++) {
        const struct node *n = h->graph->nodes[k];
        bool all = !(n->def->flags & OP_RANDOM);

        for (int i = 0; i < n->inputs + n->captured; i++)
            all = all && (!n->in[i] || settled[n->in[i]->id]);
        for (int o = 0; o < n->slots; o++)
            if (n->out[o])
                settled[n->out[o]->id] = all;
    }
    return settled;
}

/* Puts the new number of classes in the place of the old one, in element `at` of a constant input of a node. */
static bool put_number(struct remake *y, Onnx__NodeProto *p, size_t input, const struct tensor *old, int at)
{
    int64_t numbers[MAX_RANK];
    struct tensor t = *old;
    struct ints all;
    char *name;
    bool ok;

    ints_of(old, &all);
    if (all.count > MAX_RANK || at >= all.count || all.v[at] != y->h->units)
        return true;
    all.v[at] = y->units;
    y->turned = y->at;
    t.data = numbers;
    for (int k = 0; k < all.count; k++)
        element_put_int(numbers, k, t.dtype, all.v[k]);
    name = remake_name(y, p, input);
    ok = name && edit_add_initializer(&y->e, name, &t) && edit_set_input(&y->e, p, input, name);
    budget_free(y->e.budget, name);
    return ok;
}

static bool put_attribute(struct remake *y, Onnx__NodeProto *p, const struct tensor *old, int at)
{
    struct ints all;

    ints_of(old, &all);
    if (all.v[at] != y->h->units)
        return true;
    all.v[at] = y->units;
    y->turned = y->at;
    return edit_set_ints(&y->e, p, "shape", (size_t)all.count, all.v);
}

static bool is_integer(const struct tensor *t)
{
    return t->data && t->rank <= 1 && (t->dtype == I64 || t->dtype == I32);
}

/* A shape that is put together of parts, of which the one with the classes is a constant. What others read too is left
 * alone. */
static bool put_into_parts(struct remake *y, const struct value *shape, const bool *settled, int at)
{
    const struct head *h = y->h;
    const struct node *n = shape->producer;

    for (; n && (node_is(n, &op_cast) || node_is(n, &op_identity)); n = shape->producer) {
        if (edit_readers(&y->e, shape->name) != 1)
            return true;
        shape = n->in[0];
    }
    if (!n || !node_is(n, &op_concat) || !head_message(y->to, n) || edit_readers(&y->e, shape->name) != 1)
        return true;
    for (int k = 0; k < n->inputs; k++) {
        const struct tensor *part = type(h, n->in[k]);

        if (!tensor_known(part))
            return true;
        if (at < tensor_count(part))
            return !settled[n->in[k]->id] || !is_integer(part) ||
                   put_number(y, head_message(y->to, n), (size_t)k, part, at);
        at -= (int)tensor_count(part);
    }
    return true;
}

/* Of one unit, a Reshape does what needs a Transpose for several. */
static bool move(struct remake *y, Onnx__NodeProto *p, int rank, int from, int to)
{
    int64_t perm[MAX_RANK];

    for (int d = 0; d < rank; d++)
        perm[head_moved(d, from, to)] = d;
    y->turned = y->at;
    edit_cut_inputs(&y->e, p, 1);
    return edit_set_op(&y->e, p, op_transpose.name) && edit_set_ints(&y->e, p, "perm", (size_t)rank, perm);
}

static bool turn(struct remake *y, const struct node *n, const bool *settled)
{
    const struct head *h = y->h;
    const int from = h->classes[n->in[0]->id], to = h->classes[n->out[0]->id];
    const struct tensor *in = type(h, n->in[0]), *out = type(h, n->out[0]), *shape = type(h, n->in[1]);
    Onnx__NodeProto *p = head_message(y->to, n);

    if (!p || y->units == h->units)
        return true;
    y->at = n;
    if (dims_product(in->dims, 0, from) != dims_product(out->dims, 0, to))
        return move(y, p, in->rank, from, to);
    if (!settled[n->in[1]->id])
        return put_into_parts(y, n->in[1], settled, to);
    if (p->n_input < 2) /* an attribute once */
        return put_attribute(y, p, shape, to);
    return !is_integer(shape) || put_number(y, p, 1, shape, to);
}

bool remake_shapes(struct remake *y)
{
    const struct head *h = y->h;
    const bool *settled = find_settled(h, y->e.report);

    for (size_t k = (size_t)h->node->id + 1; settled && k < h->graph->node_count; k++) {
        const struct node *n = h->graph->nodes[k];

        if (node_is(n, &op_reshape) && h->classes[n->in[0]->id] >= 0 && h->classes[n->out[0]->id] >= 0 &&
            !turn(y, n, settled))
            return false;
    }
    return settled;
}

bool remake_activation(struct remake *y)
{
    const struct head *h = y->h;
    const struct node *n = h->activation;
    Onnx__NodeProto *p = y->activation ? head_message(y->to, n) : NULL;
    const struct tensor *in = p ? type(h, n->in[0]) : NULL;
    const int axis = p ? h->classes[n->in[0]->id] : 0;
    char where[WHERE_TEXT];

    if (!p)
        return true;
    if (y->activation == &op_softmax && h->graph->opset < SEPARATE_AXIS &&
        dims_product(in->dims, axis + 1, in->rank) != 1)
        return fail(
            y->e.report, KILN_UNSUPPORTED, node_where(n, where),
            "classes are in dimension %d of %d, along which there is a Softmax from opset %d on, the model has %d",
            axis, in->rank, (int)SEPARATE_AXIS, h->graph->opset);
    return edit_set_op(&y->e, p, y->activation->name) &&
           (y->activation != &op_softmax || edit_set_int(&y->e, p, "axis", axis));
}

/* -- what is declared -- */

static void declare(const struct remake *y, const Onnx__ValueInfoProto *v, int axis)
{
    const Onnx__TypeProto *t = v->type;
    Onnx__TensorShapeProto *shape =
        t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && t->tensor_type ? t->tensor_type->shape : NULL;
    Onnx__TensorShapeProto__Dimension *d = shape && (size_t)axis < shape->n_dim ? shape->dim[axis] : NULL;

    if (d && d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        d->dim_value = y->units;
}

/* Numbers of classes that the file tells; of what cannot be told any more, nothing is. */
void remake_declarations(struct remake *y, const struct map *values)
{
    Onnx__GraphProto *g = y->e.graph;

    for (size_t k = 0; k < g->n_value_info; k++) {
        const Onnx__ValueInfoProto *info = g->value_info[k];
        const struct value *v = info && info->name ? map_get(values, info->name) : NULL;

        if (v && y->h->classes[v->id] >= 0)
            declare(y, info, y->h->classes[v->id]);
        else if (v && y->h->classes[v->id] == CLASSES_LOST)
            edit_drop_value_info(&y->e, v->name);
    }
    for (size_t k = 0; k < g->n_output; k++) {
        const struct value *v = y->h->graph->outputs[k];

        if (y->h->classes[v->id] >= 0)
            declare(y, g->output[k], y->h->classes[v->id]);
    }
}
