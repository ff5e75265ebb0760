#include "adapt/head/graft.h"
#include <string.h>

static const char *domain_of(const char *s)
{
    return strcmp(or_empty(s), "ai.onnx") == 0 ? "" : or_empty(s);
}

static const Onnx__OperatorSetIdProto *opset_of(const Onnx__ModelProto *m, const char *domain)
{
    for (size_t k = 0; k < m->n_opset_import; k++)
        if (strcmp(domain_of(m->opset_import[k]->domain), domain) == 0)
            return m->opset_import[k];
    return NULL;
}

/* Room for one more at the end of a list of messages. */
static bool grow(const struct graft *y, void *list, size_t count)
{
    size_t room = count;

    return budget_grow(y->e.budget, list, &room, count + 1, sizeof(void *), y->report);
}

bool graft_opsets(struct graft *y)
{
    Onnx__ModelProto *to = y->to->proto;

    for (size_t k = 0; k < y->from->proto->n_opset_import; k++) {
        const Onnx__OperatorSetIdProto *own = y->from->proto->opset_import[k];
        const char *domain = domain_of(own->domain);
        const Onnx__OperatorSetIdProto *other = opset_of(to, domain);

        if (other && other->version != own->version)
            return fail(y->report, KILN_BAD_ARGUMENT, NULL,
                        "the head is written for opset %lld of '%s', the model for %lld: they must be equal",
                        (long long)own->version, *domain ? domain : "ai.onnx", (long long)other->version);
        if (other)
            continue;
        if (!grow(y, &to->opset_import, to->n_opset_import) ||
            !(to->opset_import[to->n_opset_import] = message_copy(own, y->e.budget, y->report)))
            return false;
        to->n_opset_import++;
    }
    if (y->from->proto->ir_version > to->ir_version)
        to->ir_version = y->from->proto->ir_version;
    return true;
}

/* -- functions -- */

static bool is_called(const char *domain, const char *name, const char *overload, const Onnx__FunctionProto *f)
{
    return strcmp(or_empty(name), or_empty(f->name)) == 0 && strcmp(domain_of(domain), domain_of(f->domain)) == 0 &&
           strcmp(or_empty(overload), or_empty(f->overload)) == 0;
}

static const Onnx__FunctionProto *function_of(const Onnx__ModelProto *m, const Onnx__FunctionProto *like,
                                              const char *name)
{
    for (size_t k = 0; k < m->n_functions; k++)
        if (is_called(like->domain, name, like->overload, m->functions[k]))
            return m->functions[k];
    return NULL;
}

/* One that the model has another of is called otherwise. */
static bool call_function(struct graft *y, size_t k)
{
    const Onnx__FunctionProto *f = y->from->proto->functions[k];
    const char *name = or_empty(f->name);

    for (unsigned n = 1; function_of(y->to->proto, f, name) || (n > 1 && function_of(y->from->proto, f, name)); n++) {
        if (n == 1 && message_equal(function_of(y->to->proto, f, name), f))
            return true;
        name = n == 1 ? arena_printf(y->h->a->arena, y->report, "%s_head", or_empty(f->name))
                      : arena_printf(y->h->a->arena, y->report, "%s_head_%u", or_empty(f->name), n);
        if (!name)
            return false;
    }
    y->called[k] = name;
    return true;
}

static bool call_again(struct graft *y, Onnx__NodeProto **nodes, size_t count);

static bool call_again_in(struct graft *y, Onnx__NodeProto *n)
{
    bool ok = true;

    for (size_t k = 0; ok && k < n->n_attribute; k++) {
        Onnx__AttributeProto *a = n->attribute[k];

        ok = !a->g || call_again(y, a->g->node, a->g->n_node);
        for (size_t i = 0; ok && i < a->n_graphs; i++)
            ok = call_again(y, a->graphs[i]->node, a->graphs[i]->n_node);
    }
    return ok;
}

/* Calls of functions by what they are called now. */
static bool call_again(struct graft *y, Onnx__NodeProto **nodes, size_t count)
{
    const Onnx__ModelProto *m = y->from->proto;

    for (size_t k = 0; k < count; k++) {
        size_t f = 0;
        char *name;

        while (f < m->n_functions &&
               !is_called(nodes[k]->domain, nodes[k]->op_type, nodes[k]->overload, m->functions[f]))
            f++;
        if (f < m->n_functions && y->called[f] && strcmp(y->called[f], or_empty(nodes[k]->op_type)) != 0) {
            name = message_string(y->called[f], strlen(y->called[f]), y->e.budget, y->report);
            if (!name)
                return false;
            budget_free(y->e.budget, nodes[k]->op_type);
            nodes[k]->op_type = name;
        }
        if (!call_again_in(y, nodes[k]))
            return false;
    }
    return true;
}

static bool add_function(struct graft *y, size_t k)
{
    Onnx__ModelProto *to = y->to->proto;
    Onnx__FunctionProto *f;
    char *name;

    if (!y->called[k])
        return true;
    if (!grow(y, &to->functions, to->n_functions) ||
        !(f = message_copy(y->from->proto->functions[k], y->e.budget, y->report)))
        return false;
    to->functions[to->n_functions++] = f;
    name = message_string(y->called[k], strlen(y->called[k]), y->e.budget, y->report);
    if (!name)
        return false;
    budget_free(y->e.budget, f->name);
    f->name = name;
    return call_again(y, f->node, f->n_node);
}

/* `called` is all known before the first is added: they call each other. */
bool graft_functions(struct graft *y)
{
    const size_t count = y->from->proto->n_functions;
    bool ok;

    y->called = arena_array(y->h->a->arena, count, sizeof *y->called, y->report);
    ok = y->called;
    for (size_t k = 0; ok && k < count; k++)
        ok = call_function(y, k);
    for (size_t k = 0; ok && k < count; k++)
        ok = add_function(y, k);
    return ok;
}

/* -- nodes and constants -- */

static bool note_labels(struct graft *y)
{
    const Onnx__GraphProto *g = y->to->proto->graph;

    for (size_t k = 0; k < g->n_node; k++) {
        void **slot = g->node[k] ? map_put(&y->labels, or_empty(g->node[k]->name), y->report) : NULL;

        if (g->node[k] && !slot)
            return false;
    }
    return true;
}

/* So that --freeze finds either of two nodes. */
static bool label(struct graft *y, Onnx__NodeProto *n)
{
    const char *other;
    char *name;

    if (!n->name || !*n->name || !map_has(&y->labels, n->name))
        return true;
    other = arena_printf(y->h->a->arena, y->report, "head/%s", n->name);
    name = other ? message_string(other, strlen(other), y->e.budget, y->report) : NULL;
    if (!name)
        return false;
    budget_free(y->e.budget, n->name);
    n->name = name;
    return true;
}

bool graft_nodes(struct graft *y)
{
    const Onnx__GraphProto *g = y->from->proto->graph;
    const size_t end = y->e.graph->n_node - 1; /* there is the layer at least */

    if (!note_labels(y))
        return false;
    for (size_t k = 0; k < g->n_node; k++) {
        Onnx__NodeProto *n = message_copy(g->node[k], y->e.budget, y->report);

        if (!n || !rename_node(&y->names, n) || !call_again(y, &n, 1) || !label(y, n)) {
            message_free(n, y->e.budget);
            return false;
        }
        if (!edit_insert_made(&y->e, end, true, n))
            return false;
    }
    return true;
}

bool graft_initializers(struct graft *y)
{
    const Onnx__GraphProto *g = y->from->proto->graph;
    struct map values;
    bool ok;

    map_init(&values, &y->h->budget);
    ok = graph_names(y->from->graph, &values, y->report);
    for (size_t k = 0; ok && k < g->n_initializer; k++) {
        const char *name = g->initializer[k]->name;
        const struct value *v = map_get(&values, name);

        ok = v && v->initializer && edit_add_initializer(&y->e, map_get(&y->names.names, name), v->initializer);
    }
    map_release(&values);
    return ok;
}

static Onnx__StringStringEntryProto *property(Onnx__ModelProto *m, const char *key)
{
    for (size_t k = 0; k < m->n_metadata_props; k++)
        if (m->metadata_props[k]->key && strcmp(m->metadata_props[k]->key, key) == 0)
            return m->metadata_props[k];
    return NULL;
}

/* How a parameter is drawn, under the name that it has now. */
static bool set_rule(struct graft *y, const char *name, const char *rule)
{
    Onnx__ModelProto *to = y->to->proto;
    const char *key = arena_printf(y->h->a->arena, y->report, "init.%s", name);
    Onnx__StringStringEntryProto *p = key ? property(to, key) : NULL;
    char *value = key ? message_string(rule, strlen(rule), y->e.budget, y->report) : NULL;

    if (!value)
        return false;
    if (!p) {
        p = message_new(&onnx__string_string_entry_proto__descriptor, y->e.budget, y->report);
        if (!p || !(p->key = message_string(key, strlen(key), y->e.budget, y->report)) ||
            !grow(y, &to->metadata_props, to->n_metadata_props)) {
            message_free(p, y->e.budget);
            budget_free(y->e.budget, value);
            return false;
        }
        to->metadata_props[to->n_metadata_props++] = p;
    }
    budget_free(y->e.budget, p->value);
    p->value = value;
    return true;
}

bool graft_rules(struct graft *y)
{
    const Onnx__ModelProto *m = y->from->proto;

    for (size_t k = 0; k < m->n_metadata_props; k++) {
        const Onnx__StringStringEntryProto *p = m->metadata_props[k];
        const char *now =
            p->key && p->value && strncmp(p->key, "init.", 5) == 0 ? map_get(&y->names.names, p->key + 5) : NULL;

        if (now && !set_rule(y, now, p->value))
            return false;
    }
    return true;
}
