#include "ops/conv.h"
#include "ops/registry.h"
#include "plan/pass.h"
#include <string.h>

/* Add of what a convolution makes, and of something else, which nobody else needs the convolution's result for: the
 * convolution takes the other one as an input, and the place of the Add, where that one has been made. */

static bool is_free(const struct use *uses, const struct value *v)
{
    const struct node *n = v->producer;

    return n && n->out[0] == v && node_is(n, &op_conv) && uses[v->id].count == 1 &&
           ((const struct conv_attrs *)n->attrs)->channels_last;
}

/* The input that a convolution makes, the later one of two; -1 for none. */
static int product_of(const struct use *uses, const struct node *n)
{
    const bool first = is_free(uses, n->in[0]), second = is_free(uses, n->in[1]);

    if (n->in[0] == n->in[1])
        return -1;
    if (first && second)
        return n->in[1]->producer->id > n->in[0]->producer->id;
    return first ? 0 : second ? 1 : -1;
}

/* The two nodes change places, and the one that adds makes nothing any more. */
static bool take(struct node *add, int product, struct report *r)
{
    struct value *made = add->in[product], *other = add->in[1 - product], *y = add->out[0];
    struct node *conv = made->producer;
    const struct node was = *add;
    const int id = conv->id;
    struct value **in = arena_array(add->graph->arena, CONV_RESIDUAL + 1, sizeof(struct value *), r);

    if (!in || !pass_lower(conv, r))
        return false;
    memcpy(in, conv->in, (size_t)conv->inputs * sizeof(struct value *));
    in[CONV_RESIDUAL] = other;
    *add = *conv;
    add->id = was.id;
    add->in = in;
    add->inputs = CONV_RESIDUAL + 1;
    add->out[0] = y;
    y->producer = add;
    made->producer = NULL;
    *conv = was;
    conv->id = id;
    conv->in[0] = conv->in[1] = conv->out[0] = NULL;
    return true;
}

static bool adds_two(const struct node *n)
{
    return (node_is(n, &op_add) || node_is(n, &op_sum)) && n->inputs == 2 && n->in[0] && n->in[1] && n->out[0];
}

bool pass_residual(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);

    if (!uses)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];
        int product;

        if (!adds_two(n))
            continue;
        product = product_of(uses, n);
        if (product >= 0 && !take(n, product, r))
            return false;
    }
    return true;
}
