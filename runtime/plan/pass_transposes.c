#include "ops/move.h"
#include "ops/node.h"
#include "ops/registry.h"
#include "ops/transpose.h"
#include "plan/pass.h"

/* One element of the first input at a time, and nothing else. */
static bool is_unary(const struct node *n)
{
    for (int k = 1; k < n->slots; k++)
        if (n->out[k])
            return false;
    for (int k = 1; k < n->inputs; k++)
        if (n->in[k])
            return false;
    return node_elementwise(n);
}

static bool undoes(const struct transpose *a, const struct transpose *b)
{
    const int rank = a->given ? a->perm.count : b->perm.count;

    if (!a->given && !b->given)
        return true;
    if (a->given && b->given && a->perm.count != b->perm.count)
        return false;
    for (int d = 0; d < rank; d++)
        if (transpose_from(a, rank, transpose_from(b, rank, d)) != d)
            return false;
    return true;
}

/* The second of the two becomes an Identity, which is a view: whoever reads it, and the caller, read the same value as
 * before. */
static void become_identity(struct node *n, const struct op_def *def)
{
    n->op = &op_identity;
    n->def = def;
    n->op_name = op_identity.name;
    n->since = def->since;
}

bool pass_transposes(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);
    const struct op_def *def = op_def_for(&op_identity, g->opset);

    if (!uses)
        return false;
    for (size_t k = 0; def && k < g->node_count; k++) {
        struct node *first = g->nodes[k], *n = first;

        if (!node_is(first, &op_transpose) || !first->in[0] || !first->out[0])
            continue;
        do
            n = pass_next(uses, n);
        while (n && is_unary(n));
        if (!n || !node_is(n, &op_transpose) || !undoes(first->attrs, n->attrs))
            continue;
        become_identity(n, def);
        become_identity(first, def);
        /* what lies between has another shape now */
        for (const struct node *m = first; m != n; m = uses[m->out[0]->id].reader)
            m->out[0]->has_type = false;
    }
    return true;
}
