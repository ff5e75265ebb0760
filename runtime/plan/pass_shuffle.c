#include "ops/channel_shuffle.h"
#include "ops/registry.h"
#include "ops/transpose.h"
#include "plan/pass.h"
#include <string.h>

/* Reshape, Transpose, Reshape that exchange two dimensions in which channels are counted: one node, which has a way
 * with channels last (ops/channel_shuffle.h). */

/* The shape of a Reshape, of so many dimensions; NULL where it is another, or not certain. */
static const int64_t *shape_of(const struct node *n, int rank)
{
    const struct tensor *t =
        n && node_is(n, &op_reshape) && n->inputs == 2 && n->in[0] ? value_constant(n->in[1]) : NULL;

    return t && t->dtype == I64 && t->rank == 1 && t->dims[0] == rank ? t->data : NULL;
}

static bool exchanges(const struct node *n)
{
    static const int perm[] = { 0, 2, 1, 3, 4 };
    const struct transpose *a = n->attrs;

    for (int d = 0; a->perm.count == 5 && d < 5; d++)
        if (a->perm.v[d] != perm[d])
            return false;
    return a->given && a->perm.count == 5;
}

/* All but the batch are told. */
static bool read_shapes(struct channel_shuffle *a, const int64_t *parts, const int64_t *whole)
{
    int64_t channels;

    for (int d = 1; d < 5; d++)
        if (parts[d] <= 0)
            return false;
    if (parts[0] < -1 || parts[0] == 0 || whole[0] != parts[0] || !mul_size(parts[1], parts[2], &channels) ||
        whole[1] != channels || whole[2] != parts[3] || whole[3] != parts[4])
        return false;
    *a = (struct channel_shuffle){
        .batch = parts[0], .groups = parts[1], .channels = parts[2], .size = { parts[3], parts[4] }
    };
    return true;
}

bool pass_shuffle(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);

    for (size_t k = 0; uses && k < g->node_count; k++) {
        struct node *n = g->nodes[k], *turn, *last;
        const int64_t *parts = shape_of(n, 5), *whole;
        struct channel_shuffle shapes, *a;

        turn = parts ? pass_next(uses, n) : NULL;
        last = turn && node_is(turn, &op_transpose) && turn->in[0] == n->out[0] && exchanges(turn)
                   ? pass_next(uses, turn)
                   : NULL;
        whole = shape_of(last, 4);
        if (!whole || last->in[0] != turn->out[0] || !read_shapes(&shapes, parts, whole))
            continue;
        a = arena_alloc(g->arena, sizeof *a, r);
        if (!a)
            return false;
        *a = shapes;
        pass_replace(uses, n, last);
        n->op = &channel_shuffle_op;
        n->def = channel_shuffle_op.defs;
        n->op_name = channel_shuffle_op.name;
        n->since = channel_shuffle_op.defs->since;
        n->attrs = a;
        n->inputs = 1;
    }
    return uses;
}
