#include "ops/label_map.h"
#include "ops/elementwise.h"
#include "ops/rank.h"
#include <string.h>

/* -- read -- */

bool label_map_make(struct parse *p, struct label_map *m, const struct attr_values *keys,
                    const struct attr_values *values, const void *fallback, enum lookup_equality as)
{
    const size_t from = dtype_size(keys->dtype), to = dtype_size(values->dtype);
    const char *const key = keys->data;
    char *copy;
    int64_t bytes;

    if (keys->count != values->count)
        return parse_error(p, "%zu keys have %zu values, must have as many", keys->count, values->count);
    if (!mul_size((int64_t)keys->count + 1, (int64_t)to, &bytes))
        return parse_error(p, "%zu values are more than can be looked up", keys->count);
    copy = parse_alloc(p, to_size(bytes));
    if (!copy || !lookup_init(&m->keys, p, keys->count))
        return false;
    if (values->count)
        memcpy(copy, values->data, values->count * to);
    memcpy(copy + values->count * to, fallback, to);
    m->from = keys->dtype;
    m->to = values->dtype;
    m->as = as;
    m->values = copy;
    m->count = (int64_t)keys->count;
    for (size_t k = 0; k < keys->count; k++)
        lookup_put_element(&m->keys, m->from, as, key + k * from, (int64_t)k);
    return true;
}

/* -- plan -- */

bool label_map_infer(struct infer *i, const struct label_map *m)
{
    const struct tensor *x = typed_in(i, 0);

    if (x->dtype != m->from)
        return infer_error(i, "'X' is %s, must be %s as the keys are", dtype_name(x->dtype), dtype_name(m->from));
    return set_out(i, 0, m->to, x->rank, x->dims);
}

/* -- run -- */

static void find_elements(const struct elements *s)
{
    const struct label_map *m = s->attrs;
    const size_t from = dtype_size(m->from), to = dtype_size(m->to);
    const char *const x = s->x[0];
    char *const y = s->y;

    for (int64_t k = 0; k < s->n; k++) {
        const int64_t place = lookup_get_element(&m->keys, m->from, m->as, x + (size_t)k * from);

        memcpy(y + (size_t)k * to, m->values + (size_t)(place < 0 ? m->count : place) * to, to);
    }
}

bool label_map_run(struct step *s, const struct label_map *m)
{
    const struct elementwise e = { .loop = find_elements, .chunk = CHUNK_LIBM, .span = { .attrs = m } };

    return elementwise(s, &e, s->out[0], 1, s->in);
}

/* -- both ways -- */

bool label_maps_make(struct parse *p, struct label_maps *m, const struct attr_values *strings,
                     const struct attr_values *numbers)
{
    const int64_t number = attr_int(p, "default_int64", -1);
    const char *const text = attr_string(p, "default_string", "_Unused");
    struct string **fallback = parse_strings(p, 1, &(struct bytes){ strlen(text), text });

    return fallback && label_map_make(p, &m->to_number, strings, numbers, &number, LOOKUP_BITS) &&
           label_map_make(p, &m->to_string, numbers, strings, fallback, LOOKUP_BITS);
}

enum dtype label_maps_told(const struct node *n, int k)
{
    const enum dtype from = known_input(n, 0).dtype;

    (void)k;
    return from == STRING ? I64 : from == I64 ? STRING : UNDEFINED;
}

bool label_maps_infer(struct infer *i)
{
    const struct label_maps *m = infer_attrs(i);

    return label_map_infer(i, typed_in(i, 0)->dtype == STRING ? &m->to_number : &m->to_string);
}

bool label_maps_run(struct step *s)
{
    const struct label_maps *m = s->attrs;

    return label_map_run(s, s->in[0]->dtype == STRING ? &m->to_number : &m->to_string);
}
