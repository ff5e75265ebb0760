#include "plan/pass.h"
#include <stdlib.h>

enum { BIG = 1 << 16 };

static const struct tensor *memory_of(const struct value *v)
{
    const struct tensor *t = v->initializer;

    return t && t->kind == TENSOR && t->data && tensor_known(t) ? t : NULL;
}

struct extent {
    const char *from, *to;
    int id; /* of the value */
};

static int lower_first(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

bool pieces_find(struct pieces *p, const struct graph *g, const int *reads, struct arena *arena, struct report *r)
{
    struct extent *extents = arena_array(arena, g->value_count, sizeof *extents, r);
    const char *reach = NULL;
    size_t count = 0;
    int piece = -1;

    p->of = arena_array(arena, g->value_count, sizeof *p->of, r);
    p->readers = arena_array(arena, g->value_count, sizeof *p->readers, r);
    if (!extents || !p->of || !p->readers)
        return false;
    for (size_t k = 0; k < g->value_count; k++) {
        const struct tensor *t = memory_of(g->values[k]);

        if (t)
            extents[count++] = (struct extent){ t->data, (const char *)t->data + tensor_bytes(t), (int)k };
    }
    qsort(extents, count, sizeof *extents, lower_first);
    for (size_t k = 0; k < count; k++) {
        if (piece < 0 || extents[k].from >= reach)
            piece++;
        reach = !k || extents[k].to > reach ? extents[k].to : reach;
        p->of[extents[k].id] = piece;
        p->readers[piece] += reads[extents[k].id] != 0;
    }
    return true;
}

void pieces_unread(struct pieces *p, const struct value *v)
{
    if (memory_of(v))
        p->readers[p->of[v->id]]--;
}

bool passes_forget(struct passes *p, const struct value *v, const struct pieces *pieces)
{
    const struct tensor *t = memory_of(v);

    if (!v->folded || !t || t->dtype == STRING || tensor_bytes(t) < BIG || pieces->readers[pieces->of[v->id]])
        return false;
    return arena_forget(&p->arena, t->data, (size_t)tensor_bytes(t)) ||
           arena_forget(&p->constants->arena, t->data, (size_t)tensor_bytes(t));
}
