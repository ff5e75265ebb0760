/* Calls of the model's functions. */
#include "model/import.h"

const Onnx__FunctionProto *find_function(const struct import *im, const Onnx__NodeProto *n)
{
    for (const struct function *f = map_get(&im->functions, proto_text(n->op_type)); f; f = f->next)
        if (strcmp(proto_domain(f->proto->domain), proto_domain(n->domain)) == 0 &&
            strcmp(proto_text(f->proto->overload), proto_text(n->overload)) == 0)
            return f->proto;
    return NULL;
}

bool list_functions(struct import *im)
{
    const Onnx__ModelProto *m = im->model->proto;

    for (size_t k = m->n_functions; k-- > 0;) { /* the first of several comes first */
        void **slot = map_put(&im->functions, proto_text(m->functions[k]->name), im->report);
        struct function *f = slot ? arena_alloc(&im->model->arena, sizeof *f, im->report) : NULL;

        if (!f)
            return false;
        *f = (struct function){ m->functions[k], *slot };
        *slot = f;
    }
    return true;
}

/* Attributes of the call, and the function's defaults for those that it leaves out. */
static bool call_attrs(struct scope *body, struct call *c, const struct attr *given, size_t count, const char *where)
{
    const Onnx__FunctionProto *f = c->function;

    c->attrs = arena_array(body->graph->arena, count + f->n_attribute_proto, sizeof *c->attrs, body->im->report);
    if (!c->attrs)
        return false;
    if (count)
        memcpy(c->attrs, given, count * sizeof *given);
    c->attr_count = count;
    for (size_t k = 0; k < f->n_attribute_proto; k++) {
        bool has = false;

        for (size_t j = 0; j < count; j++)
            has |= strcmp(given[j].name, proto_text(f->attribute_proto[k]->name)) == 0;
        for (size_t j = 0; j < c->node->n_attribute; j++) /* graphs are not in the list */
            has |= is_graph(c->node->attribute[j]) &&
                   strcmp(proto_text(c->node->attribute[j]->name), proto_text(f->attribute_proto[k]->name)) == 0;
        if (!has && is_graph(f->attribute_proto[k]))
            return fail(body->im->report, KILN_UNSUPPORTED, where, "attribute '%s' has a graph as its default",
                        proto_text(f->attribute_proto[k]->name));
        if (!has && !import_attr(body, &c->attrs[c->attr_count++], f->attribute_proto[k], where))
            return false;
    }
    return true;
}

/* A value of the body is known to those who read the model by the name that the caller gives it. One that has a name of
 * the caller's already (an input that is an output too, an output of two names) gets a second one from an Identity. */
static struct value *rename_output(struct scope *s, struct value *v, const char *name, bool own)
{
    const struct op *identity = op_find("", "Identity");
    struct node_spec spec = { .op = identity, .index = -1, .opset = s->graph->opset, .inputs = 1, .outputs = 1 };
    struct value *out;

    if (own) {
        v->name = name;
        return v;
    }
    out = graph_value(s->graph, name);
    spec.def = identity ? identity->defs : NULL;
    spec.in = &v;
    spec.out = &out;
    return spec.def && out && node_make(s->graph, &spec, s->im->report) ? out : NULL;
}

/* `before`: how many values there were before the call. */
static bool bind_outputs(struct scope *s, struct scope *body, const Onnx__NodeProto *n, const Onnx__FunctionProto *f,
                         size_t before, const char *where)
{
    for (size_t k = 0; k < n->n_output; k++) {
        struct value *v;
        bool own;

        if (!*n->output[k])
            continue;
        v = scope_find(body, f->output[k]);
        if (!v)
            return fail(s->im->report, KILN_BAD_MODEL, where, "output '%s' of function '%s' is not defined",
                        f->output[k], proto_text(f->name));
        own = v->producer && (size_t)v->id >= before;
        for (size_t j = 0; j < k; j++)
            own &= !*n->output[j] || strcmp(f->output[j], f->output[k]) != 0;
        v = rename_output(s, v, n->output[k], own);
        if (!v || !scope_define(s, n->output[k], v, where))
            return false;
    }
    return true;
}

bool import_call(struct scope *s, const Onnx__NodeProto *n, const Onnx__FunctionProto *f, const char *where)
{
    struct import *im = s->im;
    struct call call = { .function = f, .node = n, .caller = s };
    struct scope body = { .im = im,
                          .graph = s->graph,
                          .path = where,
                          .call = &call,
                          .opset_count = f->n_opset_import,
                          .opsets = f->opset_import };
    const size_t before = s->graph->value_count;
    struct attr *attrs;
    size_t count;
    bool ok;

    for (const struct call *c = s->call; c; c = c->caller->call)
        if (c->function == f)
            return fail(im->report, KILN_BAD_MODEL, where, "function '%s' calls itself", proto_text(f->name));
    if (im->depth >= MAX_CALL_DEPTH)
        return fail(im->report, KILN_LIMIT, where, "calls are nested deeper than %d", (int)MAX_CALL_DEPTH);
    if (n->n_input > f->n_input || n->n_output > f->n_output)
        return fail(im->report, KILN_BAD_MODEL, where, "%zu inputs and %zu outputs, function '%s' has %zu and %zu",
                    n->n_input, n->n_output, proto_text(f->name), f->n_input, f->n_output);
    map_init(&body.names, &im->model->budget);
    im->depth++;
    ok = check_opsets(f->opset_import, f->n_opset_import, where, im->report) &&
         import_attrs(s, n, true, &attrs, &count, where) && call_attrs(&body, &call, attrs, count, where);
    for (size_t k = 0; ok && k < n->n_input; k++) {
        struct value *v;
        void **slot = NULL;

        ok = import_input(s, n->input[k], &v, where) && (!v || (slot = map_put(&body.names, f->input[k], im->report)));
        if (slot)
            *slot = v;
    }
    ok = ok && import_nodes(&body, f->node, f->n_node) && bind_outputs(s, &body, n, f, before, where);
    im->depth--;
    map_release(&body.names);
    return ok;
}
