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
    return rename_as(&y->names, name, now) && map_put(&y->taken, now, y->report);
}

static bool name_one(struct graft *y, const char *name)
{
    const char *now;

    if (!name || !*name || map_has(&y->names.names, name))
        return true;
    now = free_name(y, name);
    if (!now || !call(y, name, now))
        return false;
    y->h->made[y->h->made_count++] = now;
    return true;
}

static bool name_defined(void *graft, char **name)
{
    return name_one(graft, *name);
}

static bool leave_name(void *graft, char **name)
{
    (void)graft;
    (void)name;
    return true;
}

static bool count_name(void *graft, char **name)
{
    struct graft *y = graft;

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
    visit_graph_names(g, count_name, leave_name, y);
    h->made = arena_array(h->a->arena, h->made_count, sizeof *h->made, y->report);
    h->made_count = 0;
    if (!h->made || !call(y, in, h->x->name) || !is_used(y, h->output->name, &used))
        return false;
    if (!used && strcmp(in, out) != 0) {
        if (!call(y, out, h->output->name))
            return false;
        h->made[h->made_count++] = h->output->name;
    }
    return visit_graph_names(g, name_defined, leave_name, y);
}
