/* Messages to graph: names are resolved to values, nodes to rows of operators, calls of the model's functions to their
 * bodies. */
#include "model/model.h"
#include "ops/node.h"
#include <stdio.h>
#include <string.h>

enum {
    MAX_IR = 14,
    MAX_CALL_DEPTH = 64,
    MAX_NODES = 1 << 22,
    MAX_CALLED = 1 << 18, /* nodes of called functions: a few lines of text can ask for any number of them */
    MAX_OPSETS = 128,
    MAX_ATTRIBUTES = 1024 /* of a node */
};

struct import {
    struct model *model;
    struct report *report;
    int64_t nodes, called; /* made so far, in all and for calls, which may multiply them */
    struct map functions;  /* by name: to struct function */
    int depth;     /* of calls and subgraphs */
};

/* Functions of one name: they differ in domain or overload. */
struct function {
    const Onnx__FunctionProto *proto;
    struct function *next;
};

/* What a function's body sees of its call. */
struct call {
    const Onnx__FunctionProto *function;
    struct attr *attrs; /* the call's, but for graphs, and the function's defaults */
    size_t attr_count;
    const Onnx__NodeProto *node;
    struct scope *caller;
};

/* The names that may be read at a place: those of this graph, then those of the graphs around it. */
struct scope {
    struct import *im;
    struct graph *graph;
    struct map names; /* to struct value */
    struct scope *outer;
    const char *path;        /* of the nodes here, for messages: the graph's, or the call's */
    const struct call *call; /* NULL: not inside a function */
    size_t opset_count;
    Onnx__OperatorSetIdProto **opsets;
};

static const char *text(const char *s)
{
    return s ? s : "";
}

/* -- opsets -----------------------------------------------------------------------------------------------------------
 */

static const char *domain_of(const char *domain)
{
    return strcmp(text(domain), "ai.onnx") == 0 ? "" : text(domain);
}

static bool check_opsets(Onnx__OperatorSetIdProto **sets, size_t count, const char *where, struct report *r)
{
    if (count > MAX_OPSETS)
        return fail(r, KILN_LIMIT, where, "opset_import names %zu domains, at most %d are supported", count, (int)MAX_OPSETS);
    for (size_t k = 0; k < count; k++) {
        const char *domain = domain_of(sets[k]->domain);

        for (size_t j = 0; j < k; j++)
            if (strcmp(domain_of(sets[j]->domain), domain) == 0)
                return fail(r, KILN_BAD_MODEL, where, "opset_import names domain '%s' twice", domain);
        if (!sets[k]->has_version || sets[k]->version < 1)
            return fail(r, KILN_BAD_MODEL, where, "the opset of domain '%s' is %lld, must be at least 1", domain,
                        (long long)(sets[k]->has_version ? sets[k]->version : 0));
        if (!*domain && sets[k]->version > NEWEST_OPSET)
            return fail(r, KILN_UNSUPPORTED, where,
                        "opset %lld of ai.onnx is newer than %d, the newest that is supported",
                        (long long)sets[k]->version, (int)NEWEST_OPSET);
    }
    return true;
}

/* 0 where the domain is not imported. */
static int opset_for(const struct scope *s, const char *domain)
{
    for (size_t k = 0; k < s->opset_count; k++)
        if (strcmp(domain_of(s->opsets[k]->domain), domain) == 0)
            return s->opsets[k]->version > INT32_MAX ? INT32_MAX : (int)s->opsets[k]->version;
    return 0;
}

/* -- names ------------------------------------------------------------------------------------------------------------
 */

static bool define(struct scope *s, const char *name, struct value *v, const char *where)
{
    void **slot;

    for (const struct scope *o = s; o; o = o->graph->parent ? o->outer : NULL)
        if (map_has(&o->names, name))
            return fail(s->im->report, KILN_BAD_MODEL, where, "'%s' is defined twice", name);
    slot = map_put(&s->names, name, s->im->report);
    if (slot)
        *slot = v;
    return slot;
}

/* The value of a name at this place; inside a subgraph, what is outside is captured, level by level. */
static struct value *resolve(struct scope *s, const char *name)
{
    struct value *v = map_get(&s->names, name), *outer;
    struct scope *chain[MESSAGE_DEPTH];
    struct scope *at = s;
    int n = 0;

    if (v || !s->graph->parent)
        return v;
    for (; at && n < MESSAGE_DEPTH; at = at->outer) { /* find the level that knows it */
        if ((v = map_get(&at->names, name)) || !at->graph->parent)
            break;
        chain[n++] = at;
    }
    for (outer = v; outer && n > 0; outer = v) {
        void **slot;

        v = graph_capture(chain[--n]->graph, outer);
        slot = v ? map_put(&chain[n]->names, name, s->im->report) : NULL; /* in a function not always v->name */
        if (!slot)
            return NULL;
        *slot = v;
    }
    return outer;
}

/* -- attributes -------------------------------------------------------------------------------------------------------
 */

static struct graph *import_subgraph(struct scope *s, const Onnx__GraphProto *proto, const char *path);

static bool attr_list(struct attr *a, const Onnx__AttributeProto *from, struct arena *arena, struct report *r)
{
    struct bytes *strings;

    a->floats = from->floats;
    a->ints = from->ints;
    a->count = a->type == ATTR_FLOATS ? from->n_floats : a->type == ATTR_INTS ? from->n_ints : 0;
    if (a->type != ATTR_STRINGS)
        return true;
    strings = arena_array(arena, from->n_strings, sizeof *strings, r);
    for (size_t k = 0; strings && k < from->n_strings; k++)
        strings[k] = (struct bytes){ from->strings[k].len, (const char *)from->strings[k].data };
    a->strings = strings;
    a->count = from->n_strings;
    return strings;
}

/* Old files leave the type out: it is that of the field that is there. */
static enum attr_type attr_type_of(const Onnx__AttributeProto *a)
{
    if (a->has_type && a->type)
        return (enum attr_type)a->type;
    return a->has_f           ? ATTR_FLOAT
           : a->has_i         ? ATTR_INT
           : a->has_s         ? ATTR_STRING
           : a->t             ? ATTR_TENSOR
           : a->g             ? ATTR_GRAPH
           : a->n_floats      ? ATTR_FLOATS
           : a->n_ints        ? ATTR_INTS
           : a->n_strings     ? ATTR_STRINGS
           : a->n_tensors     ? ATTR_TENSORS
           : a->n_graphs      ? ATTR_GRAPHS
           : a->sparse_tensor ? ATTR_SPARSE_TENSOR
                              : ATTR_NONE;
}

static bool attr_agrees(const Onnx__AttributeProto *a, enum attr_type type)
{
    return !((a->has_f && type != ATTR_FLOAT) || (a->has_i && type != ATTR_INT) || (a->has_s && type != ATTR_STRING) ||
             (a->t && type != ATTR_TENSOR) || (a->g && type != ATTR_GRAPH) || (a->n_floats && type != ATTR_FLOATS) ||
             (a->n_ints && type != ATTR_INTS) || (a->n_strings && type != ATTR_STRINGS) ||
             (a->tp && type != ATTR_TYPE_PROTO) || (type == ATTR_TYPE_PROTO && !a->tp) ||
             (type == ATTR_TENSOR && !a->t) || (type == ATTR_GRAPH && !a->g) ||
             (type == ATTR_SPARSE_TENSOR && !a->sparse_tensor));
}

static bool import_attr(struct scope *s, struct attr *a, const Onnx__AttributeProto *from, const char *where)
{
    struct arena *arena = s->graph->arena;
    struct report *r = s->im->report;
    struct tensor *t;
    char *path;

    a->name = text(from->name);
    a->type = attr_type_of(from);
    a->f = from->f;
    a->i = from->i;
    a->s = (struct bytes){ from->s.len, (const char *)from->s.data };
    if (!*a->name)
        return fail(r, KILN_BAD_MODEL, where, "an attribute has no name");
    if (!attr_agrees(from, a->type))
        return fail(r, KILN_BAD_MODEL, where, "attribute '%s' says it is %s, but holds something else", a->name,
                    attr_type_name(a->type));
    switch (a->type) {
    case ATTR_TENSOR:
        t = arena_alloc(arena, sizeof *t, r);
        a->tensor = t;
        return t && tensor_of_proto(t, from->t, &s->im->model->external, arena, where, r);
    case ATTR_TYPE_PROTO:
        t = arena_alloc(arena, sizeof *t, r);
        a->tensor = t;
        return t && type_of_proto(t, from->tp, where, r);
    case ATTR_GRAPH:
        path = arena_printf(arena, r, "%s/%s", where, a->name);
        a->graph = path ? import_subgraph(s, from->g, path) : NULL;
        return a->graph;
    default:
        return attr_list(a, from, arena, r);
    }
}

/* A graph that a call gives is made anew at each place that refers to it: it belongs to the node there, and reads the
 * names of the caller. */
static bool refer_graph(struct scope *s, struct attr *a, const Onnx__AttributeProto *from,
                        const Onnx__AttributeProto *given, const char *where)
{
    if (s->graph != s->call->caller->graph)
        return fail(s->im->report, KILN_UNSUPPORTED, where,
                    "attribute '%s' refers from inside a subgraph to a graph of the call", text(from->name));
    if (given->ref_attr_name && *given->ref_attr_name)
        return fail(s->im->report, KILN_UNSUPPORTED, where, "attribute '%s' refers to a graph through two calls",
                    text(from->name));
    if (!import_attr(s->call->caller, a, given, where))
        return false;
    a->name = text(from->name);
    return true;
}

/* Inside a function an attribute may be that of the call; one that the call leaves out has the function's default, or
 * is left out. */
static enum referred {
    REFERS_NOT,
    REFERS,
    REFERS_TO_NOTHING,
    REFERS_WRONGLY
} refer(struct scope *s, struct attr *a, const Onnx__AttributeProto *from, const char *where)
{
    const char *name = text(from->ref_attr_name);

    if (!*name)
        return REFERS_NOT;
    if (!s->call) {
        fail(s->im->report, KILN_BAD_MODEL, where, "attribute '%s' refers to '%s', but this is not in a function",
             text(from->name), name);
        return REFERS_WRONGLY;
    }
    for (size_t k = 0; k < s->call->attr_count; k++)
        if (strcmp(s->call->attrs[k].name, name) == 0) {
            *a = s->call->attrs[k];
            a->name = text(from->name);
            a->seen = false;
            return REFERS;
        }
    for (size_t k = 0; k < s->call->node->n_attribute; k++)
        if (strcmp(text(s->call->node->attribute[k]->name), name) == 0)
            return refer_graph(s, a, from, s->call->node->attribute[k], where) ? REFERS : REFERS_WRONGLY;
    return REFERS_TO_NOTHING;
}

static bool is_graph(const Onnx__AttributeProto *a)
{
    return a->g || (a->has_type && a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
}

/* Those of a node, or of a call. */
static bool import_attrs(struct scope *s, const Onnx__NodeProto *n, bool call, struct attr **attrs, size_t *count,
                         const char *where)
{
    *count = 0;
    if (n->n_attribute > MAX_ATTRIBUTES)
        return fail(s->im->report, KILN_LIMIT, where, "%zu attributes, at most %d are supported", n->n_attribute,
                    (int)MAX_ATTRIBUTES);
    *attrs = arena_array(s->graph->arena, n->n_attribute, sizeof **attrs, s->im->report);
    if (!*attrs)
        return false;
    for (size_t k = 0; k < n->n_attribute; k++) {
        struct attr *a = &(*attrs)[*count];
        enum referred referred = REFERS_WRONGLY;

        for (size_t j = 0; j < k; j++)
            if (strcmp(text(n->attribute[j]->name), text(n->attribute[k]->name)) == 0)
                return fail(s->im->report, KILN_BAD_MODEL, where, "attribute '%s' is given twice",
                            text(n->attribute[k]->name));
        if (call && is_graph(n->attribute[k])) /* made where it is referred to */
            continue;
        referred = refer(s, a, n->attribute[k], where);
        if (referred == REFERS_WRONGLY || (referred == REFERS_NOT && !import_attr(s, a, n->attribute[k], where)))
            return false;
        *count += referred != REFERS_TO_NOTHING;
    }
    return true;
}

/* Subgraphs of a node that could not be made: nobody else owns them. */
static void release_attrs(const struct scope *s, struct attr *attrs, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (attrs[k].type == ATTR_GRAPH && attrs[k].graph && attrs[k].graph->parent == s->graph)
            graph_release(attrs[k].graph);
}

/* -- nodes ------------------------------------------------------------------------------------------------------------
 */

static bool import_nodes(struct scope *s, Onnx__NodeProto **nodes, size_t count);

static const Onnx__FunctionProto *find_function(const struct import *im, const Onnx__NodeProto *n)
{
    for (const struct function *f = map_get(&im->functions, text(n->op_type)); f; f = f->next)
        if (strcmp(domain_of(f->proto->domain), domain_of(n->domain)) == 0 &&
            strcmp(text(f->proto->overload), text(n->overload)) == 0)
            return f->proto;
    return NULL;
}

static bool list_functions(struct import *im)
{
    const Onnx__ModelProto *m = im->model->proto;

    for (size_t k = m->n_functions; k-- > 0;) { /* the first of several comes first */
        void **slot = map_put(&im->functions, text(m->functions[k]->name), im->report);
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
            has |= strcmp(given[j].name, text(f->attribute_proto[k]->name)) == 0;
        for (size_t j = 0; j < c->node->n_attribute; j++) /* graphs are not in the list */
            has |= is_graph(c->node->attribute[j]) &&
                   strcmp(text(c->node->attribute[j]->name), text(f->attribute_proto[k]->name)) == 0;
        if (!has && is_graph(f->attribute_proto[k]))
            return fail(body->im->report, KILN_UNSUPPORTED, where, "attribute '%s' has a graph as its default",
                        text(f->attribute_proto[k]->name));
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

/* NULL where it is left out, or is an optional input of the function around that its call leaves out. */
static bool import_input(struct scope *s, const char *name, struct value **in, const char *where)
{
    *in = *name ? resolve(s, name) : NULL;
    if (*in || !*name)
        return true;
    for (size_t f = 0; s->call && f < s->call->function->n_input; f++)
        if (strcmp(s->call->function->input[f], name) == 0)
            return true;
    return fail(s->im->report, KILN_BAD_MODEL, where, "input '%s' is not defined before it is read", name);
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
        v = resolve(body, f->output[k]);
        if (!v)
            return fail(s->im->report, KILN_BAD_MODEL, where, "output '%s' of function '%s' is not defined",
                        f->output[k], text(f->name));
        own = v->producer && (size_t)v->id >= before;
        for (size_t j = 0; j < k; j++)
            own &= !*n->output[j] || strcmp(f->output[j], f->output[k]) != 0;
        v = rename_output(s, v, n->output[k], own);
        if (!v || !define(s, n->output[k], v, where))
            return false;
    }
    return true;
}

/* A call becomes the body of its function, in the caller's graph, with names of its own. */
static bool import_call(struct scope *s, const Onnx__NodeProto *n, const Onnx__FunctionProto *f, const char *where)
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
            return fail(im->report, KILN_BAD_MODEL, where, "function '%s' calls itself", text(f->name));
    if (im->depth >= MAX_CALL_DEPTH)
        return fail(im->report, KILN_LIMIT, where, "calls are nested deeper than %d", (int)MAX_CALL_DEPTH);
    if (n->n_input > f->n_input || n->n_output > f->n_output)
        return fail(im->report, KILN_BAD_MODEL, where, "%zu inputs and %zu outputs, function '%s' has %zu and %zu",
                    n->n_input, n->n_output, text(f->name), f->n_input, f->n_output);
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

static bool import_inputs(struct scope *s, const Onnx__NodeProto *n, struct value **in, const char *where)
{
    bool ok = true;

    for (size_t k = 0; k < n->n_input; k++)
        ok = import_input(s, n->input[k], &in[k], where) && ok;
    return ok;
}

/* Among the nodes of a function that stand in the graph of its caller? Their names must not be taken for the caller's.
 */
static bool in_body(const struct scope *s)
{
    return s->call && !s->outer;
}

static bool import_outputs(struct scope *s, const Onnx__NodeProto *n, struct value **out, const char *where)
{
    for (size_t k = 0; k < n->n_output; k++) {
        const char *name;

        out[k] = NULL;
        if (!*n->output[k])
            continue;
        name = in_body(s) ? arena_printf(s->graph->arena, s->im->report, "%s/%s", s->path, n->output[k]) : n->output[k];
        out[k] = name ? graph_value(s->graph, name) : NULL;
        if (!out[k] || !define(s, n->output[k], out[k], where))
            return false;
    }
    return true;
}

/* After an error the outputs are defined all the same, so that what follows does not fail for want of them: all errors
 * are told. */
static bool import_node(struct scope *s, const Onnx__NodeProto *n, size_t index)
{
    struct import *im = s->im;
    const char *domain = domain_of(n->domain), *name = text(n->op_type);
    const Onnx__FunctionProto *f = find_function(im, n);
    const int opset = opset_for(s, domain);
    const struct op *op = *text(n->overload) ? NULL : op_find(domain, name); /* only functions have overloads */
    const struct op_def *def = op && opset ? op_def_for(op, opset) : NULL;
    struct node_spec spec = { .op = op, .def = def, .name = text(n->name), .index = (int)index, .opset = opset };
    const char *where =
        arena_printf(s->graph->arena, im->report, "%s/node[%zu] '%s' %s", s->path, index, text(n->name), name);
    const size_t inputs = n->n_input, outputs = n->n_output;
    struct value **in = arena_array(s->graph->arena, inputs, sizeof *in, im->report);
    struct value **out = arena_array(s->graph->arena, outputs, sizeof *out, im->report);
    bool ok = true;

    if (!where || !in || !out)
        return false;
    im->called += s->call != NULL;
    if (im->called > MAX_CALLED)
        return fail(im->report, KILN_LIMIT, where, "calls of functions make more than %d nodes", (int)MAX_CALLED);
    if (++im->nodes > MAX_NODES || inputs > INT32_MAX || outputs > INT32_MAX)
        return fail(im->report, KILN_LIMIT, where, "more than %d nodes", (int)MAX_NODES);
    if (f && !def) {
        ok = import_call(s, n, f, where);
        for (size_t k = 0; k < outputs && !ok; k++) /* some may be defined */
            if (*n->output[k] && !map_has(&s->names, n->output[k]) && (out[k] = graph_value(s->graph, n->output[k])))
                define(s, n->output[k], out[k], where);
        return ok;
    }
    if (!opset)
        ok = fail(im->report, KILN_BAD_MODEL, where, "opset_import does not name domain '%s'",
                  *domain ? domain : "ai.onnx");
    else if (!op)
        ok = fail(im->report, KILN_UNSUPPORTED, where, "operator '%s' of domain '%s' is not supported", name,
                  *domain ? domain : "ai.onnx");
    else if (!def)
        ok = fail(im->report, KILN_UNSUPPORTED, where, "opset %d is older than all that '%s' supports", opset, name);
    if (ok)
        ok = import_attrs(s, n, false, &spec.attrs, &spec.attr_count, where);
    if (!import_inputs(s, n, in, where))
        ok = false;
    if (!import_outputs(s, n, out, where) || !ok) {
        release_attrs(s, spec.attrs, spec.attr_count);
        return false;
    }
    spec.in = in;
    spec.inputs = (int)inputs;
    spec.out = out;
    spec.outputs = (int)outputs;
    while (spec.outputs && !out[spec.outputs - 1])
        spec.outputs--;
    return node_make(s->graph, &spec, im->report);
}

static bool import_nodes(struct scope *s, Onnx__NodeProto **nodes, size_t count)
{
    bool ok = true;

    for (size_t k = 0; k < count; k++)
        if (!import_node(s, nodes[k], k)) {
            const kiln_status code = s->im->report->error.code;

            ok = false;
            if (code == KILN_NO_MEMORY || code == KILN_LIMIT)
                break;
        }
    return ok;
}

/* -- graphs -----------------------------------------------------------------------------------------------------------
 */

static bool declare(struct value *v, const Onnx__ValueInfoProto *info, struct graph *g, struct report *r)
{
    const Onnx__TensorShapeProto *shape;
    const char **names;

    if (!info->type)
        return true;
    if (!type_of_proto(&v->type, info->type, v->name, r))
        return false;
    v->has_type = true;
    if (info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !(shape = info->type->tensor_type->shape))
        return true;
    names = arena_array(g->arena, shape->n_dim, sizeof *names, r);
    for (size_t k = 0; names && k < shape->n_dim; k++)
        if (shape->dim[k]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
            names[k] = shape->dim[k]->dim_param;
    v->dim_names = names;
    return names;
}

static bool import_graph_inputs(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_input; k++) {
        struct value *v;

        if (!*text(g->input[k]->name))
            return fail(s->im->report, KILN_BAD_MODEL, s->graph->path, "input %zu has no name", k);
        v = graph_value(s->graph, g->input[k]->name);
        if (!v || !define(s, v->name, v, s->graph->path) || !declare(v, g->input[k], s->graph, s->im->report))
            return false;
        v->is_input = true;
    }
    return true;
}

static bool import_initializer(struct scope *s, const char *name, struct tensor *t)
{
    struct value *v = map_get(&s->names, name);
    struct report *r = s->im->report;

    if (!*name)
        return fail(r, KILN_BAD_MODEL, s->graph->path, "an initializer has no name");
    if (v && v->initializer)
        return fail(r, KILN_BAD_MODEL, s->graph->path, "initializer '%s' is given twice", name);
    if (v) { /* an input with a default */
        bool fits = !v->has_type || v->type.dtype == t->dtype;

        for (int d = 0; fits && v->has_type && v->type.rank >= 0 && d < t->rank; d++)
            fits = v->type.rank == t->rank && (v->type.dims[d] < 0 || v->type.dims[d] == t->dims[d]);
        if (!fits)
            return fail(r, KILN_BAD_MODEL, s->graph->path,
                        "initializer '%s' is not of the type that its input declares", name);
        v->initializer = t;
        return true;
    }
    v = graph_value(s->graph, name);
    if (!v || !define(s, v->name, v, s->graph->path))
        return false;
    v->initializer = t;
    v->has_type = true;
    v->type = *t;
    v->type.data = NULL;
    return true;
}

static bool import_initializers(struct scope *s, const Onnx__GraphProto *g)
{
    struct import *im = s->im;

    for (size_t k = 0; k < g->n_initializer; k++) {
        struct tensor *t = arena_alloc(s->graph->arena, sizeof *t, im->report);

        if (!t ||
            !tensor_of_proto(t, g->initializer[k], &im->model->external, s->graph->arena, s->graph->path, im->report) ||
            !import_initializer(s, text(g->initializer[k]->name), t))
            return false;
    }
    if (g->n_sparse_initializer)
        return fail(im->report, KILN_UNSUPPORTED, s->graph->path, "sparse initializers are not supported");
    return true;
}

static bool import_graph_outputs(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_output; k++) {
        struct value *v = resolve(s, text(g->output[k]->name));
        struct tensor declared;

        if (!v)
            return fail(s->im->report, KILN_BAD_MODEL, s->graph->path, "output '%s' is not defined",
                        text(g->output[k]->name));
        if (!graph_add_output(s->graph, v))
            return false;
        if (g->output[k]->type && !type_of_proto(&declared, g->output[k]->type, v->name, s->im->report))
            return false;
        if (!v->has_type && !declare(v, g->output[k], s->graph, s->im->report))
            return false;
    }
    return true;
}

static bool import_value_info(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_value_info; k++) {
        struct value *v = map_get(&s->names, text(g->value_info[k]->name));

        if (v && !v->has_type && !declare(v, g->value_info[k], s->graph, s->im->report))
            return false;
    }
    return true;
}

/* Inputs without an initializer are what a caller must give. */
static bool list_inputs(struct scope *s, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_input; k++) {
        struct value *v = map_get(&s->names, g->input[k]->name);

        if ((!v->initializer || s->graph->parent) && !graph_add_input(s->graph, v))
            return false;
    }
    return true;
}

static struct graph *import_graph(struct import *im, const Onnx__GraphProto *proto, struct scope *outer,
                                  const char *path)
{
    struct scope s = { .im = im, .outer = outer, .path = path };
    bool ok;

    s.graph = graph_new(&im->model->arena, outer ? outer->graph : NULL, path, im->report);
    if (!s.graph)
        return NULL;
    s.call = outer ? outer->call : NULL;
    s.opsets = outer ? outer->opsets : im->model->proto->opset_import;
    s.opset_count = outer ? outer->opset_count : im->model->proto->n_opset_import;
    s.graph->opset = opset_for(&s, "");
    map_init(&s.names, &im->model->budget);
    ok = import_graph_inputs(&s, proto) && import_initializers(&s, proto) && list_inputs(&s, proto);
    if (ok) {
        ok = import_nodes(&s, proto->node, proto->n_node); /* go on after errors there: all are told */
        ok = import_value_info(&s, proto) && import_graph_outputs(&s, proto) && ok;
    }
    map_release(&s.names);
    if (ok)
        return s.graph;
    graph_release(s.graph);
    return NULL;
}

static struct graph *import_subgraph(struct scope *s, const Onnx__GraphProto *proto, const char *path)
{
    struct graph *g;

    if (s->im->depth >= MAX_CALL_DEPTH) {
        fail(s->im->report, KILN_LIMIT, path, "subgraphs are nested deeper than %d", (int)MAX_CALL_DEPTH);
        return NULL;
    }
    s->im->depth++;
    g = import_graph(s->im, proto, s, path);
    s->im->depth--;
    return g;
}

bool model_build(struct model *m, struct report *r)
{
    struct import im = { .model = m, .report = r };
    const Onnx__ModelProto *p = m->proto;

    if (!p->has_ir_version || p->ir_version < 1)
        return fail(r, KILN_BAD_MODEL, NULL, "ir_version is missing, must be 1 to %d", (int)MAX_IR);
    if (p->ir_version > MAX_IR)
        return fail(r, KILN_UNSUPPORTED, NULL, "ir_version is %lld, the newest that is supported is %d",
                    (long long)p->ir_version, (int)MAX_IR);
    if (!p->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    if (!p->n_opset_import && p->ir_version >= 3)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no opset_import, must name at least one opset");
    if (!check_opsets(p->opset_import, p->n_opset_import, NULL, r))
        return false;
    map_init(&im.functions, &m->budget);
    if (list_functions(&im))
        m->graph = import_graph(&im, p->graph, NULL, "main");
    map_release(&im.functions);
    if (!m->graph && !failed(r))
        return fail(r, KILN_BAD_MODEL, NULL, "the graph is not valid");
    return m->graph;
}
