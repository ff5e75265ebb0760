#include "base/map.h"
#include <string.h>
#include <sys/random.h>

struct map_slot {
    const char *key;
    size_t length;
    void *value;
};

void map_init(struct map *m, struct budget *b)
{
    *m = (struct map){ .budget = b };
    if (getrandom(m->key, sizeof m->key, GRND_NONBLOCK) != (ssize_t)sizeof m->key)
        m->key[0] = (uint64_t)(uintptr_t)m; /* an address is a poorer secret, but still one */
}

void map_release(struct map *m)
{
    budget_free(m->budget, m->slots);
    m->slots = NULL;
    m->capacity = m->count = 0;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3; Aumasson and Bernstein, https://www.aumasson.jp/siphash/siphash.pdf */
static uint64_t hash(const struct map *m, const char *s, size_t length)
{
    uint64_t v[4] = { m->key[0] ^ 0x736f6d6570736575, m->key[1] ^ 0x646f72616e646f6d, m->key[0] ^ 0x6c7967656e657261,
                      m->key[1] ^ 0x7465646279746573 };
    uint64_t word;
    size_t at;

    for (at = 0; at + 8 <= length; at += 8) {
        memcpy(&word, s + at, 8);
        v[3] ^= word;
        round_of(v);
        v[0] ^= word;
    }
    word = (uint64_t)length << 56;
    for (size_t k = 0; at + k < length; k++)
        word |= (uint64_t)(unsigned char)s[at + k] << 8 * k;
    v[3] ^= word;
    round_of(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++)
        round_of(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds `key`, or the free one where it would go. There is always a free one. */
static struct map_slot *find(const struct map *m, const char *key, size_t length)
{
    size_t at = hash(m, key, length) & (m->capacity - 1);

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
