#include "adapt/head/graft.h"
#include <string.h>

/* Is a value of the model called so, or one that has come from the head? *used; false when memory runs out. */
static bool is_used(struct graft *y, const char *name, bool *used)
{
    char *fresh = edit_fresh_name(&y->e, name);

    *used = fresh && (strcmp(fresh, name) != 0 || map_has(&y->taken, name));
    budget_free(y->e.budget, fresh);
    return fresh;
}

/* A name that nothing has: its own, where it is free. NULL with an error. */
static const char *free_name(struct graft *y, const char *name)
{
    struct arena *arena = y->h->a->arena;
    const char *made = arena_string(arena, name, strlen(name), y->report);
    bool used = true;

    for (unsigned k = 1; made; k++) {
        if (!is_used(y, made, &used))
            return NULL;
        if (!used)
            return made;
        made = k == 1 ? arena_printf(arena, y->report, "head/%s", name)
                      : arena_printf(arena, y->report, "head.%u/%s", k, name);
    }
    return NULL;
}

static bool call(struct graft *y, const char *name, const char *now)
{
    void **slot = map_put(&y->names, name, y->report);

    if (!slot)
        return false;
    *slot = (void *)(uintptr_t)now;
    return map_put(&y->taken, now, y->report);
}

static bool name_one(struct graft *y, const char *name)
{
    const char *now;

    if (!name || !*name || map_has(&y->names, name))
        return true;
    now = free_name(y, name);
    if (!now || !call(y, name, now))
        return false;
    y->h->made[y->h->made_count++] = now;
    return true;
}

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so what follows may recurse. */
typedef bool visit_name(struct graft *y, char **name);

static bool visit_graph(struct graft *y, Onnx__GraphProto *g, visit_name *defined, visit_name *read);

static bool visit_node(struct graft *y, Onnx__NodeProto *n, visit_name *defined, visit_name *read)
{
    bool ok = true;

    for (size_t k = 0; ok && k < n->n_input; k++)
        ok = read(y, &n->input[k]);
    for (size_t k = 0; ok && k < n->n_output; k++)
        ok = defined(y, &n->output[k]);
    for (size_t k = 0; ok && k < n->n_attribute; k++) {
        ok = !n->attribute[k]->g || visit_graph(y, n->attribute[k]->g, defined, read);
        for (size_t i = 0; ok && i < n->attribute[k]->n_graphs; i++)
            ok = visit_graph(y, n->attribute[k]->graphs[i], defined, read);
    }
    return ok;
}

static bool visit_graph(struct graft *y, Onnx__GraphProto *g, visit_name *defined, visit_name *read)
{
    bool ok = true;

    for (size_t k = 0; ok && k < g->n_input; k++)
        ok = defined(y, &g->input[k]->name);
    for (size_t k = 0; ok && k < g->n_initializer; k++)
        ok = defined(y, &g->initializer[k]->name);
    for (size_t k = 0; ok && k < g->n_node; k++)
        ok = visit_node(y, g->node[k], defined, read);
    for (size_t k = 0; ok && k < g->n_output; k++)
        ok = read(y, &g->output[k]->name);
    for (size_t k = 0; ok && k < g->n_value_info; k++)
        ok = read(y, &g->value_info[k]->name);
    return ok;
}

static bool name_defined(struct graft *y, char **name)
{
    return name_one(y, *name);
}

static bool leave_name(struct graft *y, char **name)
{
    (void)y;
    (void)name;
    return true;
}

bool graft_rename(struct graft *y, char **name)
{
    const char *now = *name ? map_get(&y->names, *name) : NULL;
    char *copy;

    if (!now)
        return true;
    copy = message_string(now, strlen(now), y->e.budget, y->report);
    if (!copy)
        return false;
    budget_free(y->e.budget, *name);
    *name = copy;
    return true;
}

static bool count_name(struct graft *y, char **name)
{
    (void)name;
    y->h->made_count++;
    return true;
}

bool graft_names(struct graft *y)
{
    struct head *h = y->h;
    Onnx__GraphProto *g = y->from->proto->graph;
    const char *in = y->from->graph->inputs[0]->name, *out = g->output[0]->name;
    bool used;

    h->made_count = 0;
    visit_graph(y, g, count_name, leave_name);
    h->made = arena_array(h->a->arena, h->made_count, sizeof *h->made, y->report);
    h->made_count = 0;
    if (!h->made || !call(y, in, h->x->name) || !is_used(y, h->output->name, &used))
        return false;
    if (!used && strcmp(in, out) != 0) {
        if (!call(y, out, h->output->name))
            return false;
        h->made[h->made_count++] = h->output->name;
    }
    return visit_graph(y, g, name_defined, leave_name);
}

bool graft_rename_node(struct graft *y, Onnx__NodeProto *n)
{
    return visit_node(y, n, graft_rename, graft_rename);
}
