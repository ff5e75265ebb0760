/* What a file declares of shapes, with the batch left open. */
#include "adapt/batch.h"
#include "model/message.h"
#include <string.h>

struct declaring {
    struct batch *batch;
    struct edit *edit;
    const char *symbol; /* of the dimension; "" for none */
};

/* NULL where none is declared, and for a gap that something has left (edit.h). */
static Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *v)
{
    const Onnx__TypeProto *t = v ? v->type : NULL;

    return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? t->tensor_type->shape : NULL;
}

static bool is_used(Onnx__ValueInfoProto *const *list, size_t count, const char *symbol)
{
    for (size_t k = 0; k < count; k++) {
        const Onnx__TensorShapeProto *s = shape_of(list[k]);

        for (size_t d = 0; s && d < s->n_dim; d++) {
            const char *used = symbol_of_proto(s->dim[d]);

            if (used && strcmp(used, symbol) == 0)
                return true;
        }
    }
    return false;
}

/* That of the first input, or one that nobody uses: N, N1, ... NULL where memory ran out. */
static const char *choose_symbol(struct declaring *y)
{
    const Onnx__GraphProto *g = y->edit->graph;
    const struct value *first = y->batch->graph->inputs[0];
    const char *symbol = "N";

    if (!y->batch->told)
        return first->dim_names && first->dim_names[0] ? first->dim_names[0] : "";
    for (int k = 1; symbol && (is_used(g->input, g->n_input, symbol) || is_used(g->output, g->n_output, symbol) ||
                               is_used(g->value_info, g->n_value_info, symbol));
         k++)
        symbol = arena_printf(&y->batch->arena, y->edit->report, "N%d", k);
    return symbol;
}

/* A dimension that is a number is left open; *changed where it was one. */
static bool open_dim(struct declaring *y, Onnx__TensorShapeProto *s, int dim, bool named, bool *changed)
{
    Onnx__TensorShapeProto__Dimension *d = dim >= 0 && (size_t)dim < s->n_dim ? s->dim[dim] : NULL;

    *changed = d && d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (!*changed)
        return true;
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
    d->dim_value = 0;
    if (!named || !*y->symbol)
        return true;
    d->dim_param = message_string(y->symbol, strlen(y->symbol), y->edit->budget, y->edit->report);
    if (d->dim_param)
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    return d->dim_param;
}

static bool open_value(struct declaring *y, Onnx__ValueInfoProto *info, const struct value *v, bool *changed)
{
    const struct track *t = &y->batch->track[v->id];
    Onnx__TensorShapeProto *s = shape_of(info);
    const struct tensor *type = &y->batch->file->types[v->id];

    *changed = false;
    return t->dim < 0 || !s || open_dim(y, s, t->dim, type->dims[t->dim] == y->batch->size, changed);
}

static bool open_inputs(struct declaring *y, size_t *declared)
{
    const struct graph *g = y->batch->graph;

    for (size_t k = 0; k < g->input_count; k++) {
        Onnx__ValueInfoProto *info = y->batch->has[k] ? edit_graph_input(y->edit, g->inputs[k]->name) : NULL;
        bool changed = false;

        if (info && shape_of(info) && !open_dim(y, shape_of(info), 0, true, &changed))
            return false;
        *declared += changed;
    }
    return true;
}

static bool open_outputs(struct declaring *y, size_t *declared)
{
    const struct graph *g = y->batch->graph;
    Onnx__GraphProto *p = y->edit->graph;

    for (size_t k = 0; k < g->output_count && k < p->n_output; k++) {
        bool changed;

        if (!open_value(y, p->output[k], g->outputs[k], &changed))
            return false;
        *declared += changed;
    }
    return true;
}

/* What is declared of values between is kept where it is known to be right. */
static bool open_values(struct declaring *y)
{
    const struct batch *b = y->batch;
    Onnx__GraphProto *g = y->edit->graph;
    struct map names;
    bool ok, changed;

    map_init(&names, y->edit->budget);
    ok = graph_names(b->graph, &names, y->edit->report);
    for (size_t k = 0; ok && k < g->n_value_info; k++) {
        const char *name = g->value_info[k] ? g->value_info[k]->name : NULL;
        const struct value *v = name ? map_get(&names, name) : NULL;

        if (!name)
            continue;
        if (!v || b->other->types[v->id].rank < 0 ||
            (b->track[v->id].dim < 0 && !same_type(&b->file->types[v->id], &b->other->types[v->id])))
            edit_drop_value_info(y->edit, name);
        else
            ok = open_value(y, g->value_info[k], v, &changed);
    }
    map_release(&names);
    return ok;
}

/* -- in subgraphs -- */

static void forget_shape(struct edit *e, const Onnx__ValueInfoProto *v)
{
    if (!shape_of(v))
        return;
    message_free(v->type->tensor_type->shape, e->budget);
    v->type->tensor_type->shape = NULL;
}

static void forget_shapes(struct edit *e, const Onnx__NodeProto *n);

static void forget_in_graph(struct edit *e, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_input; k++)
        forget_shape(e, g->input[k]);
    for (size_t k = 0; k < g->n_output; k++)
        forget_shape(e, g->output[k]);
    for (size_t k = 0; k < g->n_value_info; k++)
        forget_shape(e, g->value_info[k]);
    for (size_t k = 0; k < g->n_node; k++)
        forget_shapes(e, g->node[k]);
}

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so this may recurse. */
static void forget_shapes(struct edit *e, const Onnx__NodeProto *n)
{
    for (size_t k = 0; k < n->n_attribute; k++) {
        const Onnx__AttributeProto *a = n->attribute[k];

        if (a->g)
            forget_in_graph(e, a->g);
        for (size_t i = 0; i < a->n_graphs; i++)
            forget_in_graph(e, a->graphs[i]);
    }
}

/* Those that read something with samples: what they say of shapes may be wrong, and need not be said. */
static void open_subgraphs(struct declaring *y)
{
    const struct graph *g = y->batch->graph;

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool reads = false;

        for (int i = 0; n->graphs && i < n->inputs + n->captured; i++)
            reads = reads || tracked(y->batch, n->in[i]);
        if (reads && n->index >= 0 && (size_t)n->index < y->edit->graph->n_node && y->edit->graph->node[n->index])
            forget_shapes(y->edit, y->edit->graph->node[n->index]);
    }
}

bool batch_declare(struct batch *b, struct edit *e, size_t *declared)
{
    struct declaring y = { .batch = b, .edit = e };

    y.symbol = choose_symbol(&y);
    if (!y.symbol)
        return false;
    open_subgraphs(&y);
    return open_inputs(&y, declared) && open_outputs(&y, declared) && open_values(&y);
}
