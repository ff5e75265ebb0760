#include "ops/cost.h"

double cost_count(const struct tensor *t)
{
    return t && t->kind == TENSOR && tensor_known(t) ? (double)tensor_count(t) : 0;
}

double cost_bytes(const struct tensor *t)
{
    return t ? cost_count(t) * (double)dtype_size(t->dtype) : 0;
}

void cost_of_picking(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    c->bytes -= cost_bytes(in[0]);
    for (int k = 0; k < n->slots; k++)
        c->bytes += cost_bytes(out[k]);
}

struct cost cost_of(const struct node *n, const struct tensor *const *in, struct tensor *const *out)
{
    struct cost c = { 0 };

    for (int k = 0; k < n->slots; k++)
        c.bytes += cost_bytes(out[k]);
    for (int k = 0; k < n->inputs; k++)
        c.bytes += cost_bytes(in[k]);
    if (n->def->cost)
        n->def->cost(n, in, out, &c);
    return c;
}
