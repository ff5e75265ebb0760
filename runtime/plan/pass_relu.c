#include "ops/conv.h"
#include "ops/gemm.h"
#include "plan/pass.h"

/* Of integers the product knows no Relu. */
static bool is_float(const struct node *n)
{
    const struct tensor *w = pass_constant(n->in[1]);

    return w && dtype_is_float(w->dtype);
}

bool pass_relu(struct graph *g, struct report *r)
{
    const struct use *uses = pass_uses(g, r);

    if (!uses)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k], *next = pass_next(uses, n);
        const bool conv = pass_is(n, "Conv");

        if (!next || !pass_is(next, "Relu") || !(conv || (pass_is(n, "Gemm") && is_float(n))))
            continue;
        if (conv) {
            struct conv_attrs *a = arena_alloc(g->arena, sizeof *a, r);

            if (!a)
                return false;
            *a = *(const struct conv_attrs *)n->attrs;
            a->relu = true;
            n->attrs = a;
        } else {
            struct gemm_attrs *a = arena_alloc(g->arena, sizeof *a, r);

            if (!a)
                return false;
            *a = *(const struct gemm_attrs *)n->attrs;
            a->relu = true;
            n->attrs = a;
        }
        pass_replace(uses, n, next);
    }
    return true;
}
