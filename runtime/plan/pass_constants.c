#include "plan/given.h"
#include "plan/pass.h"

static bool makes_nothing(const struct node *n)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            return false;
    return true;
}

bool pass_constants(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct tensor *given = given_types(g, g->arena, w->c->report);
    bool *leaves = arena_array(g->arena, g->value_count, sizeof *leaves, w->c->report);

    if (!given || !leaves)
        return false;
    for (size_t k = 0; k < g->output_count; k++)
        leaves[g->outputs[k]->id] = true;
    w->constants = plan_types(g, given, NULL, w->c);
    if (!w->constants)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];

        for (int o = 0; o < n->slots; o++) {
            const struct tensor *t = n->out[o] ? &w->constants->types[n->out[o]->id] : NULL;

            if (!t || !t->data || t->kind != TENSOR || t->dtype == STRING || leaves[n->out[o]->id])
                continue;
            n->out[o]->initializer = t;
            n->out[o]->folded = true;
            n->out[o]->producer = NULL;
            n->out[o] = NULL;
        }
        if (makes_nothing(n))
            for (int i = 0; i < n->inputs + n->captured; i++)
                n->in[i] = NULL;
    }
    return true;
}
