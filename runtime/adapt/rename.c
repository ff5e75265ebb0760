#include "adapt/rename.h"
#include <string.h>

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so this may recurse. */
bool visit_node_names(Onnx__NodeProto *n, visit_name *defined, visit_name *read, void *user)
{
    bool ok = true;

    for (size_t k = 0; ok && k < n->n_input; k++)
        ok = read(user, &n->input[k]);
    for (size_t k = 0; ok && k < n->n_output; k++)
        ok = defined(user, &n->output[k]);
    for (size_t k = 0; ok && k < n->n_attribute; k++) {
        ok = !n->attribute[k]->g || visit_graph_names(n->attribute[k]->g, defined, read, user);
        for (size_t i = 0; ok && i < n->attribute[k]->n_graphs; i++)
            ok = visit_graph_names(n->attribute[k]->graphs[i], defined, read, user);
    }
    return ok;
}

bool visit_graph_names(Onnx__GraphProto *g, visit_name *defined, visit_name *read, void *user)
{
    bool ok = true;

    for (size_t k = 0; ok && k < g->n_input; k++)
        ok = defined(user, &g->input[k]->name);
    for (size_t k = 0; ok && k < g->n_initializer; k++)
        ok = defined(user, &g->initializer[k]->name);
    for (size_t k = 0; ok && k < g->n_node; k++)
        ok = visit_node_names(g->node[k], defined, read, user);
    for (size_t k = 0; ok && k < g->n_output; k++)
        ok = read(user, &g->output[k]->name);
    for (size_t k = 0; ok && k < g->n_value_info; k++)
        ok = read(user, &g->value_info[k]->name);
    return ok;
}

void renaming_init(struct renaming *r, struct budget *memory, struct budget *budget, struct report *report)
{
    *r = (struct renaming){ .budget = budget, .report = report };
    map_init(&r->names, memory);
}

void renaming_release(struct renaming *r)
{
    map_release(&r->names);
}

bool rename_as(struct renaming *r, const char *name, const char *now)
{
    void **slot = map_put(&r->names, name, r->report);

    if (slot)
        *slot = (void *)(uintptr_t)now;
    return slot;
}

bool rename_one(struct renaming *r, char **name)
{
    const char *now = *name ? map_get(&r->names, *name) : NULL;
    char *copy;

    if (!now)
        return true;
    copy = message_string(now, strlen(now), r->budget, r->report);
    if (!copy)
        return false;
    budget_free(r->budget, *name);
    *name = copy;
    return true;
}

static bool rename_any(void *renaming, char **name)
{
    return rename_one(renaming, name);
}

bool rename_node(struct renaming *r, Onnx__NodeProto *n)
{
    return visit_node_names(n, rename_any, rename_any, r);
}
