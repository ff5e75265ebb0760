#include "grad/straight.h"
#include "ops/rank.h"
#include "ops/signature.h"

/* Is input k part of what comes out of a node that moves, not a size or a place? */
static bool is_moved(const struct node *n, int k)
{
    struct signature s;
    const struct formal *in, *out;

    if (!signature_read(&s, n->def))
        return true;
    in = signature_in(&s, k);
    out = signature_out(&s, 0);
    return in && out && in->var == out->var;
}

static bool moves(const struct node *n)
{
    return n->def->flags & (OP_MOVES | OP_REARRANGES);
}

/* Would a gradient that comes out of the node have to go to its input k, if that is quantised? */
static bool is_content(const struct node *n, int k)
{
    if (n->def->flags & OP_SHAPE_ONLY || n->def->gradient == zero_gradient)
        return false;
    if (n->def->flags & OP_DEQUANTIZES)
        return k == 0;
    return !moves(n) || is_moved(n, k);
}

const struct value *straight_stop(const struct node *n, const bool *straight)
{
    if (n->def->flags & OP_DEQUANTIZES || moves(n))
        return NULL;
    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && straight[n->in[k]->id] && is_content(n, k))
            return n->in[k];
    for (int k = 0; n->graphs && k < n->slots; k++)
        if (n->out[k] && straight[n->out[k]->id])
            return n->out[k];
    return NULL;
}

/* Of what is no number no gradient is asked for, and floats have one of their own. */
static bool may_be(const struct value *v, const struct tensor *types)
{
    const enum dtype t = types ? types[v->id].dtype : known_of(v).dtype;

    return t != UNDEFINED && t != BOOL && t != STRING && (!dtype_is_float(t) || dtype_is_small(t));
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool quantizes(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (n->def->flags & OP_QUANTIZES)
            return true;
        for (int i = 0; i < n->graphs; i++)
            if (quantizes(n->graph_of[i]))
                return true;
    }
    return false;
}

bool *straight_find(const struct graph *g, const struct tensor *types, struct arena *arena, struct report *r)
{
    bool *straight = arena_array(arena, g->value_count, sizeof *straight, r);

    for (size_t k = 0; straight && k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const bool makes = n->def->flags & OP_QUANTIZES;
        bool any = makes;

        for (int i = 0; i < n->inputs + n->captured && !any; i++)
            any = n->in[i] && straight[n->in[i]->id] && is_content(n, i);
        for (int i = 0; i < n->graphs && !any; i++)
            any = quantizes(n->graph_of[i]);
        for (int o = 0; any && o < (makes ? 1 : n->slots); o++)
            if (n->out[o])
                straight[n->out[o]->id] = may_be(n->out[o], types);
    }
    return straight;
}
