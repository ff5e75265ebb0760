/* Attributes of nodes and of calls; inside a function they may refer to those of the call. */
#include "model/import.h"

static bool import_list(struct attr *a, const Onnx__AttributeProto *from, struct arena *arena, struct report *r)
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
             (a->sparse_tensor != NULL) != (type == ATTR_SPARSE_TENSOR));
}

bool import_attr(struct scope *s, struct attr *a, const Onnx__AttributeProto *from, const char *where)
{
    struct arena *arena = s->graph->arena;
    struct report *r = s->im->report;
    struct tensor *t;
    char *path;

    a->name = proto_text(from->name);
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
    case ATTR_SPARSE_TENSOR:
        t = arena_alloc(arena, sizeof *t, r);
        a->tensor = t;
        return t && tensor_of_sparse(t, from->sparse_tensor, &s->im->model->external, arena, where, r);
    case ATTR_TYPE_PROTO:
        t = arena_alloc(arena, sizeof *t, r);
        a->tensor = t;
        return t && type_of_proto(t, from->tp, where, r);
    case ATTR_GRAPH:
        path = arena_printf(arena, r, "%s/%s", where, a->name);
        a->graph = path ? import_subgraph(s, from->g, path) : NULL;
        return a->graph;
    default:
        return import_list(a, from, arena, r);
    }
}

/* A graph that a call gives is made anew at each place that refers to it: it belongs to the node there, and reads the
 * names of the caller. */
static bool refer_graph(struct scope *s, struct attr *a, const Onnx__AttributeProto *from,
                        const Onnx__AttributeProto *given, const char *where)
{
    if (s->graph != s->call->caller->graph)
        return fail(s->im->report, KILN_UNSUPPORTED, where,
                    "attribute '%s' refers from inside a subgraph to a graph of the call", proto_text(from->name));
    if (given->ref_attr_name && *given->ref_attr_name)
        return fail(s->im->report, KILN_UNSUPPORTED, where, "attribute '%s' refers to a graph through two calls",
                    proto_text(from->name));
    if (!import_attr(s->call->caller, a, given, where))
        return false;
    a->name = proto_text(from->name);
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
    const char *name = proto_text(from->ref_attr_name);

    if (!*name)
        return REFERS_NOT;
    if (!s->call) {
        fail(s->im->report, KILN_BAD_MODEL, where, "attribute '%s' refers to '%s', but this is not in a function",
             proto_text(from->name), name);
        return REFERS_WRONGLY;
    }
    for (size_t k = 0; k < s->call->attr_count; k++)
        if (strcmp(s->call->attrs[k].name, name) == 0) {
            *a = s->call->attrs[k];
            a->name = proto_text(from->name);
            a->seen = false;
            return REFERS;
        }
    for (size_t k = 0; k < s->call->node->n_attribute; k++)
        if (strcmp(proto_text(s->call->node->attribute[k]->name), name) == 0)
            return refer_graph(s, a, from, s->call->node->attribute[k], where) ? REFERS : REFERS_WRONGLY;
    return REFERS_TO_NOTHING;
}

bool is_graph(const Onnx__AttributeProto *a)
{
    return a->g || (a->has_type && a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
}

bool import_attrs(struct scope *s, const Onnx__NodeProto *n, bool call, struct attr **attrs, size_t *count,
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
            if (strcmp(proto_text(n->attribute[j]->name), proto_text(n->attribute[k]->name)) == 0)
                return fail(s->im->report, KILN_BAD_MODEL, where, "attribute '%s' is given twice",
                            proto_text(n->attribute[k]->name));
        if (call && is_graph(n->attribute[k])) /* made where it is referred to */
            continue;
        referred = refer(s, a, n->attribute[k], where);
        if (referred == REFERS_WRONGLY || (referred == REFERS_NOT && !import_attr(s, a, n->attribute[k], where)))
            return false;
        *count += referred != REFERS_TO_NOTHING;
    }
    return true;
}

void release_attrs(const struct scope *s, struct attr *attrs, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (attrs[k].type == ATTR_GRAPH && attrs[k].graph && attrs[k].graph->parent == s->graph)
            graph_release(attrs[k].graph);
}
