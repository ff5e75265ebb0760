#include "plan/outputs.h"
#include "base/map.h"
#include "plan/pass.h"

/* Nodes are in order: who comes before, reading backwards, is asked for. */
static void need(struct graph *g, bool *needed)
{
    for (size_t k = g->node_count; k-- > 0;) {
        const struct node *n = g->nodes[k];
        bool wanted = false;

        for (int o = 0; o < n->slots; o++)
            wanted |= n->out[o] && needed[n->out[o]->id];
        for (int i = 0; wanted && i < n->inputs + n->captured; i++)
            if (n->in[i])
                needed[n->in[i]->id] = true;
    }
}

/* What is not needed is emptied, or is no input any more; nodes keep their ids, by which random numbers are drawn. */
static void prune(struct graph *g, const bool *needed)
{
    size_t inputs = 0;

    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];
        bool wanted = false;

        for (int o = 0; o < n->slots; o++)
            wanted |= n->out[o] && needed[n->out[o]->id];
        for (int o = 0; !wanted && o < n->slots; o++)
            if (n->out[o])
                n->out[o]->producer = NULL;
        if (!wanted) {
            pass_empty(n);
            n->graphs = 0;
        }
    }
    for (size_t k = 0; k < g->input_count; k++)
        if (needed[g->inputs[k]->id])
            g->inputs[inputs++] = g->inputs[k];
    g->input_count = inputs;
}

static bool choose(struct graph *g, const char *const *names, size_t count, bool *needed, struct report *r)
{
    struct map values;
    bool ok;

    map_init(&values, g->arena->budget);
    ok = graph_names(g, &values, r);
    g->output_count = 0;
    for (size_t k = 0; ok && k < count; k++) {
        struct value *v = map_get(&values, names[k]);

        ok = v ? graph_add_output(g, v)
               : fail(r, KILN_BAD_ARGUMENT, NULL, "the model's main graph has no value '%s'", names[k]);
        if (ok)
            needed[v->id] = true;
    }
    map_release(&values);
    return ok;
}

struct graph *graph_for_outputs(const struct graph *g, const char *const *names, size_t count, struct arena *arena,
                                struct report *r)
{
    struct graph *made = graph_clone(g, arena, r);
    bool *needed = made ? arena_array(arena, made->value_count, sizeof *needed, r) : NULL;

    if (needed && choose(made, names, count, needed, r)) {
        need(made, needed);
        prune(made, needed);
        return made;
    }
    graph_release(made);
    return NULL;
}
