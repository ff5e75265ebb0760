/* Calls of the model's functions. */
#include "model/import.h"
#include "ops/registry.h"

/* Domain, name and overload, with lengths, so that no two functions have the same. NULL when memory ran out. */
static const char *key_of(struct import *im, const char *domain, const char *name, const char *overload)
{
    domain = proto_domain(domain);
    name = proto_text(name);
    im->key.length = 0;
    text_printf(&im->key, "%zu %zu %s%s%s", strlen(domain), strlen(name), domain, name, proto_text(overload));
    return im->key.failed ? NULL : im->key.data;
}

struct function *find_function(struct import *im, const Onnx__NodeProto *n)
{
    const char *key = im->function_count ? key_of(im, n->domain, n->op_type, n->overload) : NULL;

    return key ? map_get(&im->functions, key) : NULL;
}

/* The first of several that are the same counts. */
static bool list_function(struct import *im, const Onnx__FunctionProto *proto)
{
    struct function *f = &im->all[im->function_count++];
    const char *key = key_of(im, proto->domain, proto->name, proto->overload);
    const char *own = key ? arena_string(&im->model->arena, key, im->key.length, im->report) : NULL;
    void **slot = own ? map_put(&im->functions, own, im->report) : NULL;

    f->proto = proto;
    map_init(&f->inputs, &im->model->budget);
    if (slot && !*slot)
        *slot = f;
    return slot;
}

bool list_functions(struct import *im)
{
    const Onnx__ModelProto *m = im->model->proto;
    bool ok;

    im->key = (struct text){ .budget = &im->model->budget, .report = im->report };
    map_init(&im->functions, &im->model->budget);
    im->all = arena_array(&im->model->arena, m->n_functions, sizeof *im->all, im->report);
    ok = im->all;
    for (size_t k = 0; ok && k < m->n_functions; k++)
        ok = list_function(im, m->functions[k]);
    return ok;
}

void forget_functions(struct import *im)
{
    for (size_t k = 0; k < im->function_count; k++)
        map_release(&im->all[k].inputs);
    map_release(&im->functions);
    text_release(&im->key);
}

bool count_called(struct import *im, size_t nodes, size_t places, const char *where)
{
    im->called += (int64_t)(nodes + places / PLACES);
    return im->called <= MAX_CALLED ||
           fail(im->report, KILN_LIMIT, where, "calls of functions make more than %d nodes", (int)MAX_CALLED);
}

/* What is the same for all calls of a function. */
static bool meet(struct import *im, struct function *f, const char *where)
{
    const Onnx__FunctionProto *p = f->proto;

    if (f->met)
        return true;
    if (p->n_attribute_proto > MAX_ATTRIBUTES)
        return fail(im->report, KILN_LIMIT, where,
                    "function '%s' has %zu attributes with a default, at most %d are supported", proto_text(p->name),
                    p->n_attribute_proto, (int)MAX_ATTRIBUTES);
    for (size_t k = 0; k < p->n_input; k++)
        if (!map_put(&f->inputs, p->input[k], im->report))
            return false;
    f->met = check_opsets(p->opset_import, p->n_opset_import, where, im->report);
    return f->met;
}

/* Attributes of the call, and the function's defaults for those that it leaves out. */
static bool call_attrs(struct scope *body, struct call *c, const struct attr *given, size_t count, const char *where)
{
    const Onnx__FunctionProto *f = c->function->proto;

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
    struct node_spec spec = {
        .op = &op_identity, .def = op_identity.defs, .index = -1, .opset = s->graph->opset, .inputs = 1, .outputs = 1
    };
    struct value *out;

    if (own) {
        v->name = name;
        return v;
    }
    out = graph_value(s->graph, name);
    spec.in = &v;
    spec.out = &out;
    return spec.def && out && node_make(s->graph, &spec, s->im->report) ? out : NULL;
}

/* `before`: how many values there were before the call. `bound`: names of outputs that have been bound. */
static bool bind_output(struct scope *s, struct scope *body, const char *formal, const char *name, struct map *bound,
                        size_t before, const char *where)
{
    struct value *v = scope_find(body, formal);
    const bool own = v && v->producer && (size_t)v->id >= before && !map_has(bound, formal);

    if (!v)
        return fail(s->im->report, KILN_BAD_MODEL, where, "output '%s' of function '%s' is not defined", formal,
                    proto_text(body->call->function->proto->name));
    v = map_put(bound, formal, s->im->report) ? rename_output(s, v, name, own) : NULL;
    return v && scope_define(s, name, v, where);
}

static bool bind_outputs(struct scope *s, struct scope *body, const Onnx__NodeProto *n, size_t before,
                         const char *where)
{
    char *const *formal = body->call->function->proto->output;
    struct map bound;
    bool ok = true;

    map_init(&bound, &s->im->model->budget);
    for (size_t k = 0; ok && k < n->n_output; k++)
        ok = !*n->output[k] || bind_output(s, body, formal[k], n->output[k], &bound, before, where);
    map_release(&bound);
    return ok;
}

bool import_call(struct scope *s, const Onnx__NodeProto *n, struct function *function, const char *where)
{
    struct import *im = s->im;
    const Onnx__FunctionProto *f = function->proto;
    struct call call = { .function = function, .node = n, .caller = s };
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
        if (c->function == function)
            return fail(im->report, KILN_BAD_MODEL, where, "function '%s' calls itself", proto_text(f->name));
    if (im->depth >= MAX_CALL_DEPTH)
        return fail(im->report, KILN_LIMIT, where, "calls are nested deeper than %d", (int)MAX_CALL_DEPTH);
    if (n->n_input > f->n_input || n->n_output > f->n_output)
        return fail(im->report, KILN_BAD_MODEL, where, "%zu inputs and %zu outputs, function '%s' has %zu and %zu",
                    n->n_input, n->n_output, proto_text(f->name), f->n_input, f->n_output);
    if (!count_called(im, 0, n->n_input + n->n_output + f->n_attribute_proto, where) || !meet(im, function, where))
        return false;
    map_init(&body.names, &im->model->budget);
    im->depth++;
    ok = import_attrs(s, n, true, &attrs, &count, where) && call_attrs(&body, &call, attrs, count, where);
    for (size_t k = 0; ok && k < n->n_input; k++) {
        struct value *v;
        void **slot = NULL;

        ok = import_input(s, n->input[k], &v, where) && (!v || (slot = map_put(&body.names, f->input[k], im->report)));
        if (slot)
            *slot = v;
    }
    ok = ok && import_nodes(&body, f->node, f->n_node) && bind_outputs(s, &body, n, before, where);
    im->depth--;
    map_release(&body.names);
    return ok;
}
