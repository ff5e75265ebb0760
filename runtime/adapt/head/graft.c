/* A graph from another file in the place of the head. */
#include "adapt/head/graft.h"
#include "base/text.h"
#include "train/initialise.h"
#include <string.h>

/* -- a model of its own -- */

static bool put_text(void *to, const void *bytes, size_t size)
{
    text_add(to, bytes, size);
    return !((struct text *)to)->failed;
}

/* With the bytes of other files in it, and values for all that its metadata name. NULL with an error. */
static struct model *whole_model(const struct model *m, struct report *r)
{
    const struct initialise_options nothing = { 0 };
    const struct model_options limits = model_limits(m);
    struct budget budget = budget_like(&m->budget);
    struct text bytes = { .budget = &budget, .report = r };
    size_t count;
    struct model *drawn = model_initialise(m, &nothing, &count, r), *whole = NULL;

    if (drawn && model_put(drawn, false, NULL, put_text, &bytes, r))
        whole = model_read_bytes(bytes.data, bytes.length, &limits, r);
    model_free(drawn);
    text_release(&bytes);
    if (whole && model_build(whole, r))
        return whole;
    model_free(whole);
    return NULL;
}

/* -- does it fit -- */

/* What the layer consumes, with open dimensions for those that are not always the same. */
static struct tensor consumed(const struct head *h, const struct program *other)
{
    struct tensor t = h->types->types[h->x->id];
    const struct tensor *u = other ? &other->types[h->x->id] : NULL;

    t.data = NULL;
    for (int d = 0; d < t.rank; d++)
        if (!u || u->rank != t.rank || u->dims[d] != t.dims[d])
            t.dims[d] = UNKNOWN;
    return t;
}

static bool fits(const struct tensor *declared, const struct tensor *given)
{
    bool ok = declared->kind == TENSOR && declared->dtype == given->dtype &&
              (declared->rank < 0 || declared->rank == given->rank);

    for (int d = 0; ok && d < declared->rank; d++)
        ok = declared->dims[d] < 0 || given->dims[d] < 0 || declared->dims[d] == given->dims[d];
    return ok;
}

static bool check_input(const struct graft *y)
{
    struct head *h = y->h;
    const struct graph *g = y->from->graph;
    struct report quiet = { 0 };
    struct program *other;
    struct tensor given;
    char text[TYPE_TEXT], has[TYPE_TEXT];

    if (g->input_count != 1 || !g->output_count)
        return fail(y->report, KILN_BAD_ARGUMENT, NULL, "the head has %zu inputs and %zu outputs, must have 1 and some",
                    g->input_count, g->output_count);
    other = head_plan(h, h->graph, h->open + 1, &quiet);
    given = consumed(h, other);
    program_free(other);
    if (!g->inputs[0]->has_type || fits(&g->inputs[0]->type, &given))
        return true;
    return fail(y->report, KILN_BAD_ARGUMENT, NULL, "the head takes %s, '%s' is %s",
                tensor_text(&g->inputs[0]->type, text), h->x->name, tensor_text(&given, has));
}

/* -- outputs -- */

/* A symbol is one number wherever it stands: the head's are none of the model's, but that of the samples. */
static bool keep_symbols_apart(struct graft *y, const Onnx__ValueInfoProto *v, const Onnx__ValueInfoProto *old)
{
    Onnx__TensorShapeProto *shape =
        v->type && v->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? v->type->tensor_type->shape : NULL;
    const Onnx__TensorShapeProto *had = old->type && old->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
                                            ? old->type->tensor_type->shape
                                            : NULL;

    for (size_t d = 0; shape && d < shape->n_dim; d++) {
        Onnx__TensorShapeProto__Dimension *own =
            d || !had || !had->n_dim
                ? message_new(&onnx__tensor_shape_proto__dimension__descriptor, y->e.budget, y->report)
                : message_copy(had->dim[0], y->e.budget, y->report);

        if (!own)
            return false;
        if (symbol_of_proto(shape->dim[d])) {
            message_free(shape->dim[d], y->e.budget);
            shape->dim[d] = own;
        } else
            message_free(own, y->e.budget);
    }
    return true;
}

/* `old`: the declaration of the output that they replace. */
static bool insert_outputs(struct graft *y, size_t at, const Onnx__ValueInfoProto *old)
{
    const Onnx__GraphProto *g = y->from->proto->graph;
    Onnx__ValueInfoProto **made = arena_array(y->h->a->arena, g->n_output, sizeof *made, y->report);
    bool ok = made;

    for (size_t k = 0; ok && k < g->n_output; k++) {
        made[k] = message_copy(g->output[k], y->e.budget, y->report);
        ok = made[k] && rename_one(&y->names, &made[k]->name) && keep_symbols_apart(y, made[k], old);
    }
    if (ok)
        return edit_insert_graph_outputs(&y->e, at, g->n_output, made);
    for (size_t k = 0; made && k < g->n_output; k++)
        message_free(made[k], y->e.budget);
    return false;
}

/* What nobody would read goes before names are given: they may be free then. Outputs that come from the old head go with
 * it; *at is the place of the one that is replaced, *old its declaration. */
static bool cut(struct graft *y, size_t *at, Onnx__ValueInfoProto **old)
{
    const struct head *h = y->h;

    *at = 0;
    while (h->graph->outputs[*at] != h->output)
        ++*at;
    *old = message_copy(y->e.graph->output[*at], y->e.budget, y->report);
    for (size_t k = 0; *old && k < h->graph->output_count; k++)
        if (h->classes[h->graph->outputs[k]->id] != CLASSES_NONE)
            edit_drop_graph_output(&y->e, k);
    if (!*old || !edit_count_reader(&y->e, h->x->name, 1)) /* the graft, until its nodes are there */
        return false;
    edit_drop_unread(&y->e);
    return true;
}

/* -- all of it -- */

static bool edit_all(struct graft *y)
{
    Onnx__ValueInfoProto *old = NULL;
    size_t at;
    const bool ok = cut(y, &at, &old) && graft_names(y) && graft_opsets(y) && graft_functions(y) &&
                    graft_initializers(y) && graft_nodes(y) && graft_rules(y) && insert_outputs(y, at, old) &&
                    edit_count_reader(&y->e, y->h->x->name, -1);

    message_free(old, y->e.budget);
    return ok;
}

/* NULL with an error. */
static struct model *graft(struct graft *y)
{
    bool ok;

    y->to = adapt_copy(y->h->a);
    if (!y->to)
        return NULL;
    renaming_init(&y->names, &y->h->budget, &y->to->budget, y->report);
    map_init(&y->taken, &y->h->budget);
    map_init(&y->labels, &y->h->budget);
    ok = edit_begin(&y->e, y->to, y->report) && edit_all(y);
    ok = edit_end(&y->e) && ok;
    renaming_release(&y->names);
    map_release(&y->taken);
    map_release(&y->labels);
    if (ok && head_forget(y->to, y->h, y->report))
        return y->to;
    model_free(y->to);
    return NULL;
}

/* It must be one that can be planned. */
static bool check_whole(struct graft *y)
{
    struct report quiet = { 0 };
    struct program *p = model_build(y->to, &quiet) ? head_plan(y->h, y->to->graph, y->h->open, &quiet) : NULL;
    const bool ok = p;

    program_free(p);
    return ok ||
           fail(y->report, quiet.error.code, quiet.error.where, "with the head in its place, %s", quiet.error.message);
}

static bool tell(const struct graft *y, size_t outputs, const char *first)
{
    struct head *h = y->h;
    struct adapt *a = h->a;
    struct finding f = { .name = head_called(h->node), .certainty = CERTAIN };

    f.found = head_found(h);
    f.evidence = arena_printf(a->arena, a->report, "the last layer before output '%s'", h->output->name);
    f.done = arena_printf(a->arena, a->report, "a graph of %zu nodes in its place, %zu output%s, the first '%s'",
                          y->from->proto->graph->n_node, outputs, outputs == 1 ? "" : "s", first);
    return f.found && f.evidence && f.done && adapt_tell(a, &f);
}

bool head_graft(struct head *h, const struct model *m)
{
    struct adapt *a = h->a;
    struct graft y = { .h = h, .report = a->report };
    const char *what = arena_printf(a->arena, a->report, "the head, from node '%s' on", head_called(h->node));
    size_t at = 0;
    bool ok;

    y.from = what ? whole_model(m, a->report) : NULL;
    ok = y.from && check_input(&y) && graft(&y);
    if (ok && !check_whole(&y)) {
        model_free(y.to);
        ok = false;
    }
    while (ok && h->graph->outputs[at] != h->output)
        at++;
    ok = ok && adapt_take_changed(a, y.to, true, what);
    for (size_t k = 0; ok && k < at; k++)
        h->first += h->classes[h->graph->outputs[k]->id] == CLASSES_NONE;
    h->outputs = ok ? y.from->graph->output_count : 0;
    ok = ok && tell(&y, h->outputs, a->model->graph->outputs[h->first]->name);
    model_free(y.from);
    return ok;
}
