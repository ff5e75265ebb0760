#include "model/graph_write.h"
#include "model/graph_writing.h"
#include "model/message.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/signature.h"
#include <string.h>

/* -- lists -- */

bool writing_list(struct writing *a, void *list, size_t count)
{
    void *made = budget_zalloc(a->budget, count, sizeof(void *), a->report);

    if (made)
        memcpy(list, &made, sizeof made);
    return made;
}

char *writing_text(struct writing *a, const char *s)
{
    return message_string(s, strlen(s), a->budget, a->report);
}

/* -- names -- */

static const char *fresh(struct writing *a)
{
    return arena_printf(a->scratch, a->report, "%s%lld", a->w->prefix, (long long)++*a->next);
}

static bool is_named(const struct writing *a, const struct value *v)
{
    return !a->outer && a->w->names && a->w->names[v->id];
}

/* Identity, which spelling out makes many of, is not written. */
static const struct value *source(const struct writing *a, const struct value *v)
{
    while (v->producer && v->producer->graph == a->graph && node_is(v->producer, &op_identity) && !is_named(a, v))
        v = v->producer->in[0];
    return v;
}

const char *writing_name(struct writing *a, const struct value *of)
{
    const struct value *v = source(a, of);

    if (a->names[v->id])
        return a->names[v->id];
    if (a->outer && a->captured[v->id])
        a->names[v->id] = writing_name(a->outer, a->captured[v->id]);
    else
        a->names[v->id] = is_named(a, v) ? a->w->names[v->id] : fresh(a);
    return a->names[v->id];
}

/* -- nodes -- */

static int inputs_of(const struct writing *a, const struct node *n, const struct op_def *def)
{
    int count = writing_tells_axes(a, n) ? 1 : def == n->def && n->said_inputs < n->inputs ? n->said_inputs : n->inputs;

    while (count && !n->in[count - 1])
        count--;
    return count;
}

static bool is_live(const struct writing *a, const struct node *n)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && a->live[n->out[k]->id])
            return true;
    return false;
}

/* What is not optional has a name though nobody reads it. */
static const char *output_name(struct writing *a, const struct node *n, int k, const struct op_def *def)
{
    struct signature s;
    const struct formal *f;

    if (n->out[k] && a->live[n->out[k]->id])
        return writing_name(a, n->out[k]);
    f = signature_read(&s, def) ? signature_out(&s, k) : NULL;
    return f && f->optional ? "" : fresh(a);
}

/* Of any number all are there: they are counted. */
static int outputs_of(const struct writing *a, const struct node *n, const struct op_def *def)
{
    int outputs = n->slots;
    struct signature s;

    if (signature_read(&s, def) && s.outputs && s.out[s.outputs - 1].variadic)
        return n->outputs;
    while (outputs && (!n->out[outputs - 1] || !a->live[n->out[outputs - 1]->id]))
        outputs--;
    return outputs;
}

static bool add_input_names(struct writing *a, Onnx__NodeProto *to, const struct node *n, const struct op_def *def)
{
    const int inputs = inputs_of(a, n, def);

    if (!writing_list(a, &to->input, (size_t)inputs))
        return false;
    for (int k = 0; k < inputs; k++) {
        const char *name = n->in[k] ? writing_name(a, n->in[k]) : "";

        to->input[k] = name ? writing_text(a, name) : NULL;
        if (!to->input[k])
            return false;
        to->n_input++;
    }
    return true;
}

static bool add_output_names(struct writing *a, Onnx__NodeProto *to, const struct node *n, const struct op_def *def)
{
    const int outputs = outputs_of(a, n, def);

    if (!writing_list(a, &to->output, (size_t)outputs))
        return false;
    for (int k = 0; k < outputs; k++) {
        const char *name = output_name(a, n, k, def);

        to->output[k] = name ? writing_text(a, name) : NULL;
        if (!to->output[k])
            return false;
        to->n_output++;
    }
    return true;
}

/* Has a message that says the same made something? Then `v` is called so, too. */
static bool find_known(struct writing *a, const void *message, const struct value *v, bool *found)
{
    uint8_t *bytes;
    size_t size;
    void *key, **slot;

    if (!proto_pack(message, &bytes, &size, a->budget, a->report))
        return false;
    key = arena_alloc(a->scratch, size + 1, a->report);
    if (key)
        memcpy(key, bytes, size);
    budget_free(a->budget, bytes);
    slot = key ? map_put_bytes(&a->known, key, size, a->report) : NULL;
    if (!slot)
        return false;
    *found = *slot;
    if (*slot)
        a->names[v->id] = *slot;
    else
        *slot = (void *)(uintptr_t)writing_name(a, v);
    return *slot;
}

/* The value that a node makes alone, and no name is asked for. */
static const struct value *only_value(const struct writing *a, const struct node *n, const struct op_def *def)
{
    return outputs_of(a, n, def) == 1 && !n->graphs && !(n->def->flags & OP_RANDOM) && n->out[0] &&
                   !a->names[n->out[0]->id] && !is_named(a, n->out[0])
               ? n->out[0]
               : NULL;
}

/* What is made twice is written once. */
static bool add_node(struct writing *a, const struct node *n)
{
    const struct op_def *def = writing_row(a, n);
    Onnx__NodeProto *to = def ? message_new(&onnx__node_proto__descriptor, a->budget, a->report) : NULL;
    const struct value *only;
    bool found = false;

    if (!to)
        return false;
    a->to->node[a->to->n_node++] = to;
    to->op_type = writing_text(a, n->op_name);
    if (*n->op->domain)
        to->domain = writing_text(a, n->op->domain);
    if (!to->op_type || (*n->op->domain && !to->domain) || !add_input_names(a, to, n, def) ||
        !writing_attributes(a, to, n, def))
        return false;
    only = only_value(a, n, def);
    if (only && !find_known(a, to, only, &found))
        return false;
    if (!found)
        return add_output_names(a, to, n, def);
    a->to->n_node--;
    message_free(to, a->budget);
    return true;
}

/* -- graphs -- */

static void mark(struct writing *a, const struct value *v)
{
    if (v)
        a->live[source(a, v)->id] = true;
}

static void find_live(struct writing *a)
{
    const struct graph *g = a->graph;

    for (size_t k = 0; k < g->output_count; k++)
        mark(a, g->outputs[k]);
    for (size_t k = g->node_count; k-- > 0;) {
        const struct node *n = g->nodes[k];

        for (int i = 0; is_live(a, n) && i < n->inputs + n->captured; i++)
            mark(a, n->in[i]);
    }
}

static bool add_nodes(struct writing *a)
{
    const struct graph *g = a->graph;

    /* and one for each output */
    if (!writing_list(a, &a->to->node, g->node_count + g->output_count))
        return false;
    for (size_t k = 0; k < g->node_count; k++)
        if (is_live(a, g->nodes[k]) && !add_node(a, g->nodes[k]))
            return false;
    return true;
}

/* Rank and dimensions as far as they are known. */
static Onnx__ValueInfoProto *declared(struct writing *a, const char *name, const struct tensor *t)
{
    struct tensor shape = *t;
    Onnx__ValueInfoProto *v;

    for (int d = 0; d < t->rank; d++)
        shape.dims[d] = shape.dims[d] < 0 ? 1 : shape.dims[d];
    v = value_info_of(name, &shape, a->budget, a->report);
    for (int d = 0; v && d < t->rank; d++)
        if (t->dims[d] < 0) {
            Onnx__TensorShapeProto__Dimension *to = v->type->tensor_type->shape->dim[d];

            to->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            to->dim_param = writing_text(a, a->w->open);
        }
    return v;
}

/* Of a body: the node that has it tells the shapes. A loop's number and condition need not be given to it, so that nothing
 * else tells their types; they are scalars. */
static bool is_of_loop(const struct writing *a, const struct value *v, size_t k)
{
    return a->loops && k < a->graph->input_count && a->graph->inputs[k] == v;
}

static Onnx__ValueInfoProto *declared_in_body(struct writing *a, const char *name, const struct value *of)
{
    const struct tensor scalar = { .dtype = is_of_loop(a, of, 0)   ? I64
                                            : is_of_loop(a, of, 1) ? BOOL
                                                                   : known_of(of).dtype };
    Onnx__ValueInfoProto *v = scalar.dtype ? value_info_of(name, &scalar, a->budget, a->report)
                                           : message_new(&onnx__value_info_proto__descriptor, a->budget, a->report);

    if (v && !scalar.dtype)
        v->name = writing_text(a, name);
    if (v && scalar.dtype && !is_of_loop(a, of, 0) && !is_of_loop(a, of, 1)) {
        message_free(v->type->tensor_type->shape, a->budget);
        v->type->tensor_type->shape = NULL;
    }
    return v;
}

static bool add_info(struct writing *a, Onnx__ValueInfoProto **list, size_t *count, const char *name,
                     const struct value *v)
{
    if (!name)
        return false;
    list[*count] = a->outer ? declared_in_body(a, name, v) : declared(a, name, &a->w->types[v->id]);
    return list[*count] && list[(*count)++]->name;
}

static bool is_outside(const struct writing *a, const struct value *v)
{
    return !a->outer && a->w->outside && a->w->outside[v->id];
}

static bool add_initializer(struct writing *a, const struct value *v)
{
    enum { SMALL = 256 }; /* bytes of what is looked for among others */
    Onnx__TensorProto *t = message_new(&onnx__tensor_proto__descriptor, a->budget, a->report);
    bool found = false;

    if (!t)
        return false;
    a->to->initializer[a->to->n_initializer++] = t;
    if (!tensor_to_proto(t, NULL, v->initializer, a->budget, a->report))
        return false;
    if (!is_named(a, v) && tensor_bytes(v->initializer) <= SMALL && !find_known(a, t, v, &found))
        return false;
    if (found) {
        a->to->n_initializer--;
        message_free(t, a->budget);
        return true;
    }
    t->name = writing_name(a, v) ? writing_text(a, writing_name(a, v)) : NULL;
    return t->name &&
           (!a->w->defaults || !is_named(a, v) || add_info(a, a->to->input, &a->to->n_input, writing_name(a, v), v));
}

static bool add_inputs(struct writing *a)
{
    const struct graph *g = a->graph;

    if (!writing_list(a, &a->to->input, a->values) || !writing_list(a, &a->to->initializer, a->values))
        return false;
    for (size_t k = 0; k < g->input_count; k++)
        if (!is_outside(a, g->inputs[k]) && !g->inputs[k]->initializer && (a->outer || a->live[g->inputs[k]->id]) &&
            !add_info(a, a->to->input, &a->to->n_input, writing_name(a, g->inputs[k]), g->inputs[k]))
            return false;
    for (size_t k = 0; k < a->values; k++) {
        const struct value *v = g->values[k];

        if (a->live[k] && v->initializer && !v->producer && !is_outside(a, v) && !add_initializer(a, v))
            return false;
    }
    return true;
}

/* An output is made by a node of its graph, each by itself. */
static bool add_copy(struct writing *a, const char *from, const char *as)
{
    Onnx__NodeProto *n = message_new(&onnx__node_proto__descriptor, a->budget, a->report);

    if (!n)
        return false;
    a->to->node[a->to->n_node++] = n;
    n->op_type = writing_text(a, op_identity.name);
    if (!n->op_type || !writing_list(a, &n->input, 1) || !writing_list(a, &n->output, 1) ||
        !(n->input[0] = writing_text(a, from)))
        return false;
    n->n_input = 1;
    n->output[0] = writing_text(a, as);
    n->n_output = n->output[0] != NULL;
    return n->n_output;
}

/* By a node of its graph, and no output before is the same. */
static bool is_made(const struct writing *a, size_t k, const struct value *v)
{
    return a->first[v->id] == k + 1 && v->producer && v->producer->graph == a->graph;
}

static bool add_outputs(struct writing *a)
{
    const struct graph *g = a->graph;

    if (!writing_list(a, &a->to->output, g->output_count))
        return false;
    for (size_t k = 0; k < g->output_count; k++) {
        const struct value *v = source(a, g->outputs[k]);
        const char *as = a->outer || !a->w->outputs ? NULL : a->w->outputs[k], *name = writing_name(a, v);

        /* what was made twice may be two outputs */
        if (name && (!is_made(a, k, v) || map_has(&a->outputs, name) || (as && strcmp(as, name) != 0))) {
            as = as ? as : fresh(a);
            if (!as || !add_copy(a, name, as))
                return false;
            name = as;
        }
        if (!add_info(a, a->to->output, &a->to->n_output, name, g->outputs[k]) ||
            !map_put(&a->outputs, a->to->output[k]->name, a->report))
            return false;
    }
    return true;
}

/* What is an output of this name alone is called so where it is made. */
static void name_outputs(struct writing *a)
{
    for (size_t k = 0; !a->outer && a->w->outputs && k < a->graph->output_count; k++) {
        const struct value *v = source(a, a->graph->outputs[k]);

        if (is_made(a, k, v) && !is_named(a, v))
            a->names[v->id] = a->w->outputs[k];
    }
}

/* What is looked up while the graph is written. */
static bool index_values(struct writing *a)
{
    const struct graph *g = a->graph;

    a->names = arena_array(a->scratch, a->values, sizeof *a->names, a->report);
    a->live = arena_array(a->scratch, a->values, sizeof *a->live, a->report);
    a->first = arena_array(a->scratch, a->values, sizeof *a->first, a->report);
    a->captured = arena_array(a->scratch, a->values, sizeof *a->captured, a->report);
    if (!a->names || !a->live || !a->first || !a->captured)
        return false;
    for (size_t k = g->output_count; k-- > 0;)
        a->first[source(a, g->outputs[k])->id] = k + 1;
    for (size_t k = g->capture_count; k-- > 0;)
        a->captured[g->captures[k].inner->id] = g->captures[k].outer;
    return true;
}

static Onnx__GraphProto *write_graph(struct writing *a)
{
    bool ok = false;

    a->values = a->graph->value_count;
    a->to = message_new(&onnx__graph_proto__descriptor, a->budget, a->report);
    map_init(&a->known, a->budget);
    map_init(&a->outputs, a->budget);
    if (a->to && index_values(a)) {
        a->to->name = writing_text(a, a->outer ? "body" : "step");
        find_live(a);
        name_outputs(a);
        ok = a->to->name && add_inputs(a) && add_nodes(a) && add_outputs(a);
    }
    map_release(&a->known);
    map_release(&a->outputs);
    if (ok)
        return a->to;
    message_free(a->to, a->budget);
    return NULL;
}

/* As deep as the graph that it is of, which importing or differentiating has bounded. */
Onnx__GraphProto *writing_body(struct writing *a, const struct node *n, const struct graph *g)
{
    struct writing body = *a;

    body.graph = g;
    body.loops = node_is(n, &op_loop);
    body.outer = a;
    return write_graph(&body);
}

Onnx__GraphProto *graph_write(struct graph_writing *w, struct budget *b, struct report *r)
{
    struct arena scratch = { .budget = b };
    int64_t next = 0;
    struct writing a = { .w = w, .graph = w->graph, .scratch = &scratch, .budget = b, .report = r, .next = &next };
    Onnx__GraphProto *made = write_graph(&a);

    arena_release(&scratch);
    return made;
}

int graph_least_opset(const struct graph *g, int least)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        if (!*n->op->domain && op_oldest(n->op) > least)
            least = op_oldest(n->op);
        for (int s = 0; s < n->graphs; s++)
            least = graph_least_opset(n->graph_of[s], least);
    }
    return least;
}
