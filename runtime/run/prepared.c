#include "run/prepared.h"

struct prepared_entry {
    struct prepared_entry *next;
    size_t bytes;
    void *made;
    unsigned char id[];
};

static struct prepared_entry *new_entry(struct prepared *p, const struct preparation *what, struct report *r)
{
    struct prepared_entry *e = budget_zalloc(p->budget, 1, sizeof *e + preparation_id_bytes(what), r);

    if (!e)
        return NULL;
    e->bytes = what->bytes;
    preparation_id(what, e->id);
    return e;
}

/* What the time did not suffice for may be half made, and is not kept. */
static bool make(struct prepared *p, struct prepared_entry *e, const struct preparation *what, const struct kernels *k,
                 struct pool *pool, struct report *r)
{
    void **slot;

    e->made = budget_alloc_pages(p->budget, what->bytes, r);
    if (!e->made)
        return false;
    what->make(what->data, what->of, k, pool, e->made);
    slot = budget_in_time(p->budget, NULL, r) ? map_put_bytes(&p->by_id, e->id, preparation_id_bytes(what), r) : NULL;
    if (!slot)
        return false;
    *slot = e;
    e->next = p->entries;
    p->entries = e;
    return true;
}

const void *prepared_get(struct prepared *p, const struct preparation *what, const struct kernels *k, struct pool *pool,
                         struct report *r)
{
    struct prepared_entry *e = new_entry(p, what, r), *there;

    if (!e)
        return NULL;
    if (!p->by_id.budget)
        map_init(&p->by_id, p->budget);
    there = map_get_bytes(&p->by_id, e->id, preparation_id_bytes(what));
    if (!there && make(p, e, what, k, pool, r))
        return e->made;
    budget_free_pages(p->budget, e->made, e->bytes);
    budget_free(p->budget, e);
    return there ? there->made : NULL;
}

void prepared_free(struct prepared *p)
{
    while (p->entries) {
        struct prepared_entry *e = p->entries;

        p->entries = e->next;
        budget_free_pages(p->budget, e->made, e->bytes);
        budget_free(p->budget, e);
    }
    map_release(&p->by_id);
}
