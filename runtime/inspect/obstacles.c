#include "inspect/obstacles.h"
#include "grad/grad.h"
#include <string.h>

static void note(struct obstacles *o, const struct node *n, bool in_the_way)
{
    size_t k = 0;

    while (k < o->count && strcmp(o->at[k].op, n->op_name) != 0)
        k++;
    if (k == MAX_OBSTACLES)
        return;
    if (k == o->count)
        o->at[o->count++] = (struct obstacle){ .op = n->op_name, .reason = n->def->no_gradient };
    o->at[k].nodes++;
    o->at[k].in_the_way |= in_the_way;
}

/* Sizes and indices are no obstacle: nothing flows back through them. */
static bool makes_floats(const struct node *n, const struct open_types *types)
{
    for (int o = 0; o < n->outputs; o++) {
        const struct tensor *t =
            n->out[o] && types->plan && n->graph == types->graph ? &types->plan->types[n->out[o]->id] : NULL;

        if (n->out[o] && (!t || t->dtype == UNDEFINED || dtype_is_float(t->dtype)))
            return true;
    }
    return false;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool find_in(struct obstacles *o, const struct graph *g, const struct open_types *types, bool *learns,
                    struct arena *arena, struct report *r)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool reached = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            reached |= n->in[i] && learns[n->in[i]->id];
        reached &= makes_floats(n, types);
        if (!op_differentiable(n->def))
            note(o, n, reached);
        for (int i = 0; i < n->slots; i++)
            if (n->out[i] && reached && op_differentiable(n->def))
                learns[n->out[i]->id] = true;
        for (int s = 0; s < n->graphs; s++) {
            const struct graph *sub = n->graph_of[s];
            bool *inner = arena_array(arena, sub->value_count, sizeof *inner, r);

            if (!inner)
                return false;
            for (size_t c = 0; c < sub->capture_count; c++)
                inner[sub->captures[c].inner->id] = learns[sub->captures[c].outer->id];
            for (size_t i = 0; i < sub->input_count; i++)
                inner[sub->inputs[i]->id] = reached;
            if (!find_in(o, sub, types, inner, arena, r))
                return false;
        }
    }
    return true;
}

bool obstacles_find(struct obstacles *o, const struct open_types *types, const struct parameters *p,
                    struct arena *arena, struct report *r)
{
    const struct graph *g = types->graph;
    bool *learns = arena_array(arena, g->value_count, sizeof *learns, r);

    o->count = 0;
    for (size_t k = 0; learns && k < p->count; k++)
        if (p->at[k].role == ROLE_TRAINABLE)
            learns[p->at[k].value->id] = true;
    return learns && find_in(o, g, types, learns, arena, r);
}
