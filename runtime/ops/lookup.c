#include "ops/lookup.h"
#include <math.h>
#include <string.h>

struct lookup_slot {
    const char *key; /* NULL: free */
    size_t length;
    uint64_t number; /* where a number is the key, `key` points here */
    int64_t place;
};

bool lookup_init(struct lookup *l, struct parse *p, size_t keys)
{
    int64_t bytes;

    *l = (struct lookup){ .hash = hash_key_new(), .capacity = 2 };
    while (l->capacity / 2 <= keys && l->capacity <= SIZE_MAX / 4)
        l->capacity *= 2;
    if (!mul_size((int64_t)l->capacity, sizeof *l->slots, &bytes))
        return parse_error(p, "%zu values are more than can be looked up", keys);
    l->slots = parse_alloc(p, to_size(bytes));
    return l->slots;
}

/* The slot that holds the key, or the free one where it would go. */
static struct lookup_slot *find(const struct lookup *l, const void *key, size_t length)
{
    size_t at = hash_bytes(&l->hash, key, length) & (l->capacity - 1);

    while (l->slots[at].key &&
           (l->slots[at].length != length || (length && memcmp(l->slots[at].key, key, length) != 0)))
        at = (at + 1) & (l->capacity - 1);
    return &l->slots[at];
}

void lookup_put(struct lookup *l, const void *key, size_t length, int64_t place)
{
    struct lookup_slot *s = find(l, key, length);

    s->key = length ? key : "";
    s->length = length;
    s->place = place;
}

int64_t lookup_get(const struct lookup *l, const void *key, size_t length)
{
    const struct lookup_slot *s = find(l, key, length);

    return s->key ? s->place : -1;
}

/* -- elements -- */

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static uint64_t real_key(double v, enum lookup_equality as)
{
    if (as == LOOKUP_BITS)
        return bits_of(v);
    return bits_of(isnan(v) ? (double)NAN : v == 0 ? 0 : v);
}

/* Of a float the bits themselves: on its way through double a NaN that signals would become another one. */
static uint64_t number_key(enum dtype dtype, enum lookup_equality as, const void *x)
{
    switch (dtype) {
    case F32:
        return as == LOOKUP_BITS ? *(const uint32_t *)x : real_key((double)*(const float *)x, as);
    case F64:
        return real_key(*(const double *)x, as);
    case I16:
        return (uint64_t) * (const int16_t *)x;
    case I32:
        return (uint64_t) * (const int32_t *)x;
    default:
        return *(const uint64_t *)x;
    }
}

void lookup_put_element(struct lookup *l, enum dtype dtype, enum lookup_equality as, const void *element, int64_t place)
{
    const struct string *const s = dtype == STRING ? *(const struct string *const *)element : NULL;
    uint64_t number;
    struct lookup_slot *slot;

    if (dtype == STRING) {
        lookup_put(l, s ? s->bytes : "", s ? s->length : 0, place);
        return;
    }
    number = number_key(dtype, as, element);
    slot = find(l, &number, sizeof number);
    *slot = (struct lookup_slot){ (const char *)&slot->number, sizeof number, number, place };
}

int64_t lookup_get_element(const struct lookup *l, enum dtype dtype, enum lookup_equality as, const void *element)
{
    const struct string *const s = dtype == STRING ? *(const struct string *const *)element : NULL;
    uint64_t number;

    if (dtype == STRING)
        return lookup_get(l, s ? s->bytes : "", s ? s->length : 0);
    number = number_key(dtype, as, element);
    return lookup_get(l, &number, sizeof number);
}
