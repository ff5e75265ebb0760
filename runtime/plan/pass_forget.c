#include "plan/pass.h"

enum { BIG = 1 << 16 };

static bool overlap(const struct tensor *a, const struct tensor *b)
{
    const char *x = a->data, *y = b->data;

    return x < y + tensor_bytes(b) && y < x + tensor_bytes(a);
}

/* Values may be views of each other. */
static bool is_read(const struct graph *g, const int *reads, const struct tensor *t)
{
    for (size_t k = 0; k < g->value_count; k++) {
        const struct tensor *o = g->values[k]->initializer;

        if (reads[k] && o && o->kind == TENSOR && o->data && tensor_known(o) && overlap(o, t))
            return true;
    }
    return false;
}

bool passes_forget(struct passes *p, const struct value *v, const int *reads)
{
    const struct tensor *t = v->initializer;

    if (!v->folded || reads[v->id] || !t || t->kind != TENSOR || t->dtype == STRING || !t->data || !tensor_known(t) ||
        tensor_bytes(t) < BIG || is_read(p->graph, reads, t))
        return false;
    return arena_forget(&p->arena, t->data, (size_t)tensor_bytes(t)) ||
           arena_forget(&p->constants->arena, t->data, (size_t)tensor_bytes(t));
}
