#include "base/map.h"
#include <string.h>

struct map_slot {
    const char *key;
    size_t length;
    void *value;
};

void map_init(struct map *m, struct budget *b)
{
    *m = (struct map){ .budget = b, .key = hash_key_new() };
}

void map_release(struct map *m)
{
    budget_free(m->budget, m->slots);
    m->slots = NULL;
    m->capacity = m->count = 0;
}

/* The slot that holds `key`, or the free one where it would go. There is always a free one. */
static struct map_slot *find(const struct map *m, const char *key, size_t length)
{
    size_t at = hash_bytes(&m->key, key, length) & (m->capacity - 1);

    while (m->slots[at].key && (m->slots[at].length != length || memcmp(m->slots[at].key, key, length) != 0))
        at = (at + 1) & (m->capacity - 1);
    return &m->slots[at];
}

static bool widen(struct map *m, struct report *r)
{
    struct map wider = *m;

    wider.capacity = m->capacity ? 2 * m->capacity : 16;
    wider.slots = budget_zalloc(m->budget, wider.capacity, sizeof *wider.slots, r);
    if (!wider.slots)
        return false;
    for (size_t k = 0; k < m->capacity; k++)
        if (m->slots[k].key)
            *find(&wider, m->slots[k].key, m->slots[k].length) = m->slots[k];
    budget_free(m->budget, m->slots);
    *m = wider;
    return true;
}

void **map_put_bytes(struct map *m, const void *key, size_t length, struct report *r)
{
    struct map_slot *slot;

    if (m->count * 2 >= m->capacity && !widen(m, r))
        return NULL;
    slot = find(m, key, length);
    if (!slot->key) {
        slot->key = key;
        slot->length = length;
        m->count++;
    }
    return &slot->value;
}

void *map_get_bytes(const struct map *m, const void *key, size_t length)
{
    return m->count ? find(m, key, length)->value : NULL;
}

void **map_put(struct map *m, const char *key, struct report *r)
{
    return map_put_bytes(m, key, strlen(key), r);
}

bool map_has(const struct map *m, const char *key)
{
    return m->count && find(m, key, strlen(key))->key;
}

void *map_get(const struct map *m, const char *key)
{
    return map_get_bytes(m, key, strlen(key));
}
