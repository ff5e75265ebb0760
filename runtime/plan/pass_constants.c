#include "plan/pass.h"

static bool makes_nothing(const struct node *n)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            return false;
    return true;
}

bool pass_constants(struct passes *p, const struct plan_context *c)
{
    struct graph *g = p->graph;
    struct tensor *none = arena_array(g->arena, g->value_count, sizeof *none, c->report);
    bool *leaves = arena_array(g->arena, g->value_count, sizeof *leaves, c->report);

    if (!none || !leaves)
        return false;
    for (size_t k = 0; k < g->value_count; k++)
        none[k].rank = UNKNOWN;
    for (size_t k = 0; k < g->output_count; k++)
        leaves[g->outputs[k]->id] = true;
    p->constants = plan_types(g, none, NULL, c);
    if (!p->constants)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];

        for (int o = 0; o < n->slots; o++) {
            const struct tensor *t = n->out[o] ? &p->constants->types[n->out[o]->id] : NULL;

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
