#include "ops/elementwise.h"
#include "ops/registry.h"
#include "plan/pass.h"
#include <math.h>

bool pass_clip_bound(const struct node *n, int k, float *value)
{
    const struct value *v = k < n->inputs ? n->in[k] : NULL;
    const struct tensor *t = value_constant(v);
    const struct numbers *a = n->attrs;

    if (!v)
        *value = k == 1 ? a->alpha : a->beta;
    else if (!t || t->dtype != F32 || tensor_count(t) != 1)
        return false;
    else
        *value = *(const float *)t->data;
    return !isnan(*value);
}

/* Is `next` a Relu, or a Clip of constant bounds, that the node can do itself? */
static bool takes(const struct node *n, const struct node *next, void *attrs)
{
    float least, most;

    if (node_is(next, &op_relu))
        return n->def->take_relu && n->def->take_relu(n, attrs);
    return n->def->take_clip && pass_clip_bound(next, 1, &least) && pass_clip_bound(next, 2, &most) && least <= most &&
           n->def->take_clip(n, least, most, attrs);
}

bool pass_relu(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);

    if (!uses)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k], *next = pass_next(uses, n), lowered = *n;
        void *attrs;

        if (!next || !(node_is(next, &op_relu) || node_is(next, &op_clip)) || next->in[0] != n->out[0] || !n->def ||
            !node_lowered(n)->take_relu)
            continue;
        attrs = pass_lower(&lowered, r);
        if (!attrs)
            return false;
        if (!takes(&lowered, next, attrs))
            continue;
        *n = lowered;
        pass_replace(uses, n, next);
    }
    return true;
}
