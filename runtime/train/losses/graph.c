/* A loss of one's own: a graph with the inputs y_true and y_pred, whose nodes become the training graph's. Its output is
 * a number, or one for each sample, of which the mean is taken. */
#include "model/model.h"
#include "ops/rank.h"
#include "train/loss.h"
#include <string.h>

struct settings {
    const char *file;
    struct model *model;
    struct loss_def def; /* with the labels that y_true wants */
    const struct value *y_true, *y_pred;
};

static bool wrong(const struct settings *s, struct report *r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool wrong(const struct settings *s, struct report *r, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fail(r, KILN_BAD_MODEL, s->file, "the graph of a loss %s", what);
}

static const struct value *input_of(const struct graph *g, const char *name)
{
    for (size_t k = 0; k < g->input_count; k++)
        if (strcmp(g->inputs[k]->name, name) == 0)
            return g->inputs[k];
    return NULL;
}

static bool check_inputs(struct settings *s, struct report *r)
{
    const struct graph *g = s->model->graph;

    s->y_true = input_of(g, "y_true");
    s->y_pred = input_of(g, "y_pred");
    if (!s->y_true || !s->y_pred || g->input_count != 2)
        return wrong(s, r, "has %zu inputs, must have 'y_true' and 'y_pred'", g->input_count);
    if (!s->y_pred->has_type || s->y_pred->type.dtype != F32)
        return wrong(s, r, "takes 'y_pred' as %s, must take it as float",
                     s->y_pred->has_type ? dtype_name(s->y_pred->type.dtype) : "it is not declared");
    if (!s->y_true->has_type || (s->y_true->type.dtype != F32 && s->y_true->type.dtype != I64))
        return wrong(s, r, "takes 'y_true' as %s, must take it as float, or as int64, the numbers of classes",
                     s->y_true->has_type ? dtype_name(s->y_true->type.dtype) : "it is not declared");
    return true;
}

static bool check(struct settings *s, struct report *r)
{
    const struct graph *g = s->model->graph;
    enum dtype dtype;

    if (!check_inputs(s, r))
        return false;
    if (g->output_count != 1)
        return wrong(s, r, "has %zu outputs, must have one", g->output_count);
    if (!g->outputs[0]->producer)
        return wrong(s, r, "computes nothing");
    dtype = known_of(g->outputs[0]).dtype;
    if (dtype != UNDEFINED && !dtype_is_float(dtype))
        return wrong(s, r, "gives %s, must give floats", dtype_name(dtype));
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->graphs)
            return wrong(s, r, "has a node %s with graphs of its own, which it cannot have", g->nodes[k]->op_name);
    return true;
}

/* What is wrong in it is told as of that file. */
static bool build(const struct settings *s, struct report *r)
{
    struct report own = { 0 };

    return model_build(s->model, &own) ||
           (own.error.code == KILN_OK ? fail(r, KILN_NO_MEMORY, s->file, "cannot be built")
                                      : fail(r, own.error.code, s->file, "%s%s%s", own.error.where,
                                             *own.error.where ? ": " : "", own.error.message));
}

static bool open_graph(struct loss *l, struct budget *b, struct report *r)
{
    struct settings *s = l->settings;
    const struct model_options o = { .limits = SCAN_LIMITS_INIT, .total = b };

    s->model = model_read(s->file, &o, r);
    if (!s->model || !build(s, r) || !check(s, r)) {
        model_free(s->model);
        s->model = NULL;
        return false;
    }
    s->def = *l->def;
    s->def.labels = s->y_true->type.dtype == I64 ? LABELS_CLASSES : LABELS_AS_GIVEN;
    s->file = NULL; /* it was the caller's */
    l->def = &s->def;
    return true;
}

static const struct model *graph_of(const void *settings)
{
    return ((const struct settings *)settings)->model;
}

static void close_graph(void *settings)
{
    model_free(((struct settings *)settings)->model);
}

/* A value of the loss, by id, that is a constant, or is made by the node. */
static struct value *copy_value(struct emitter *e, const struct value *from)
{
    struct value *v = graph_value(e->graph, NULL);

    if (v) {
        v->initializer = from->initializer;
        v->known = from->known;
    }
    return v;
}

static bool copy_node(struct emitter *e, const struct node *from, struct value **of)
{
    struct node *n = graph_node(e->graph, from->inputs, from->slots);

    if (!n)
        return false;
    n->op = from->op;
    n->def = from->def;
    n->op_name = from->op_name;
    n->since = from->since;
    n->attrs = from->attrs;
    n->said = from->said;
    n->said_count = from->said_count;
    n->said_inputs = from->said_inputs;
    n->index = from->index;
    n->stream = from->def->flags & OP_RANDOM ? e->graph->streams++ : 0;
    n->name = arena_printf(e->graph->arena, e->report, "loss/%s", from->name); /* as messages tell of it */
    n->outputs = from->outputs;
    if (!n->name)
        return false;
    for (int k = 0; k < from->inputs; k++) {
        const struct value *in = from->in[k];

        if (in && !of[in->id] && !(of[in->id] = copy_value(e, in)))
            return false;
        n->in[k] = in ? of[in->id] : NULL;
    }
    for (int k = 0; k < from->outputs; k++)
        if (from->out[k]) {
            n->out[k] = of[from->out[k]->id] = copy_value(e, from->out[k]);
            if (!n->out[k])
                return false;
            n->out[k]->producer = n;
        }
    return true;
}

static struct value *emit_loss(struct emitter *e, const struct loss_nodes *n)
{
    const struct settings *s = n->settings;
    const struct graph *g = s->model->graph;
    struct value **of = emit_alloc(e, g->value_count * sizeof *of), *out;

    if (!of)
        return NULL;
    of[s->y_true->id] = n->y_true;
    of[s->y_pred->id] = n->y_pred;
    for (size_t k = 0; k < g->node_count; k++)
        if (!copy_node(e, g->nodes[k], of)) {
            e->failed = true;
            return NULL;
        }
    out = of[g->outputs[0]->id];
    return known_of(g->outputs[0]).dtype == F32 ? out : emit_cast(e, out, F32);
}

const struct loss_def loss_graph = {
    .row = { "graph", "one's own, an ONNX graph of y_true and y_pred",
             (const struct spec_option[]){ { .key = "FILE",
                                             .offset = offsetof(struct settings, file),
                                             .help = "its output is the loss, or one for each sample",
                                             .kind = SPEC_TEXT },
                                           { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_AS_GIVEN,
    .emit = emit_loss,
    .open = open_graph,
    .close = close_graph,
    .graph = graph_of,
};
