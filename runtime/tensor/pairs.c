#include "tensor/pairs.h"
#include <stdlib.h>
#include <string.h>

static const char *element_at(const struct tensor *t, int64_t k)
{
    return (const char *)t->data + (size_t)k * dtype_size(t->dtype);
}

static int compare_strings(const struct string *a, const struct string *b)
{
    const size_t n = a ? a->length : 0, m = b ? b->length : 0, both = n < m ? n : m;
    const int order = both ? memcmp(a->bytes, b->bytes, both) : 0;

    return order ? order : (n > m) - (n < m);
}

static int compare_keys(enum dtype dtype, const void *a, const void *b)
{
    if (dtype == STRING)
        return compare_strings(*(const struct string *const *)a, *(const struct string *const *)b);
    return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

/* -- order -- */

struct keyed {
    enum dtype dtype;
    const void *key;
    int64_t place;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    const int order = compare_keys(x->dtype, x->key, y->key);

    return order ? order : (x->place > y->place) - (x->place < y->place);
}

bool keys_in_order(int64_t *order, int64_t *count, const struct tensor *keys, struct budget *b, struct report *r)
{
    const int64_t n = tensor_count(keys);
    struct keyed *all = budget_zalloc(b, (size_t)n, sizeof *all, r);

    *count = 0;
    if (!all)
        return false;
    for (int64_t k = 0; k < n; k++)
        all[k] = (struct keyed){ keys->dtype, element_at(keys, k), k };
    qsort(all, (size_t)n, sizeof *all, compare_keyed);
    for (int64_t k = 0; k < n; k++)
        if (k + 1 == n || compare_keys(keys->dtype, all[k].key, all[k + 1].key) != 0)
            order[(*count)++] = all[k].place;
    budget_free(b, all);
    return true;
}

int64_t map_find(const struct pairs *p, const void *key)
{
    int64_t from = 0, to = p->keys.dims[0];

    while (from < to) {
        const int64_t middle = from + (to - from) / 2;

        if (compare_keys(p->keys.dtype, element_at(&p->keys, middle), key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < p->keys.dims[0] && compare_keys(p->keys.dtype, element_at(&p->keys, from), key) == 0 ? from : -1;
}

/* -- making -- */

struct tensor map_type(enum dtype key, enum dtype value)
{
    return (struct tensor){ .kind = MAP, .key = key, .dtype = value, .rank = UNKNOWN };
}

/* Those elements of a vector; their memory is the caller's. */
static bool chosen(struct tensor *out, const struct tensor *from, const int64_t *order, int64_t count, struct budget *b,
                   struct report *r)
{
    const size_t size = dtype_size(from->dtype);

    *out = *from;
    out->dims[0] = count;
    out->data = budget_zalloc(b, (size_t)count, size, r);
    for (int64_t k = 0; out->data && k < count; k++)
        memcpy((char *)out->data + (size_t)k * size, element_at(from, order[k]), size);
    return out->data;
}

bool map_make(struct tensor *out, const struct tensor *keys, const struct tensor *values, struct heap *h,
              struct report *r)
{
    int64_t count, *order = budget_zalloc(h->budget, (size_t)keys->dims[0], sizeof *order, r);
    struct pairs p = { .keys = { .data = NULL } };
    struct tensor map = map_type(keys->dtype, values->dtype);
    bool ok;

    map.data = &p;
    ok = order && keys_in_order(order, &count, keys, h->budget, r) &&
         chosen(&p.keys, keys, order, count, h->budget, r) && chosen(&p.values, values, order, count, h->budget, r) &&
         heap_copy(h, out, &map, r);
    budget_free(h->budget, p.values.data);
    budget_free(h->budget, p.keys.data);
    budget_free(h->budget, order);
    return ok;
}
