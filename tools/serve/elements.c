/* Inputs from JSON. */
#include "serve/filling.h"
#include "serve/numbers.h"
#include <math.h>
#include <string.h>

/* -- numbers -- */

/* The bits of the nearest number that has so many bits for its exponent and its fraction, of two the even one; those of
 * infinity where it is too large. */
static uint16_t rounded(double x, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1, infinity = ((1 << exponent_bits) - 1) << fraction_bits;
    int exponent;
    double bits;

    frexp(x, &exponent); /* of a fraction from .5 on */
    if (x == 0 || exponent < 2 - bias)
        exponent = 2 - bias;
    bits = ldexp(exponent - 2 + bias, fraction_bits) + nearbyint(ldexp(fabs(x), fraction_bits + 1 - exponent));
    return (uint16_t)((signbit(x) ? 0x8000 : 0) | (bits < infinity ? (int)bits : infinity));
}

static bool put_float(void *to, int64_t k, kiln_dtype dtype, double x)
{
    uint16_t bits;

    switch (dtype) {
    case KILN_FLOAT:
        ((float *)to)[k] = (float)x;
        return isfinite((float)x);
    case KILN_DOUBLE:
        ((double *)to)[k] = x;
        return isfinite(x);
    default:
        bits = dtype == KILN_FLOAT16 ? rounded(x, 5, 10) : rounded(x, 8, 7);
        ((uint16_t *)to)[k] = bits;
        return (bits & 0x7fff) < (dtype == KILN_FLOAT16 ? 0x7c00 : 0x7f80);
    }
}

/* The C compiler knows what fits. */
#define PUT(type) (((type *)to)[k] = (type)x, (int64_t)(type)x == x)

static bool put_whole(void *to, int64_t k, kiln_dtype dtype, int64_t x)
{
    switch (dtype) {
    case KILN_BOOL:
        return PUT(uint8_t) && x <= 1;
    case KILN_UINT8:
        return PUT(uint8_t);
    case KILN_UINT16:
        return PUT(uint16_t);
    case KILN_UINT32:
        return PUT(uint32_t);
    case KILN_UINT64:
        return PUT(uint64_t) && x >= 0;
    case KILN_INT8:
        return PUT(int8_t);
    case KILN_INT16:
        return PUT(int16_t);
    case KILN_INT32:
        return PUT(int32_t);
    default:
        return PUT(int64_t);
    }
}

static bool put_digits(void *to, int64_t k, kiln_dtype dtype, const struct written *n)
{
    if (dtype == KILN_UINT64) {
        ((uint64_t *)to)[k] = n->digits;
        return !n->negative || !n->digits;
    }
    return n->digits <= (uint64_t)INT64_MAX + n->negative &&
           put_whole(to, k, dtype, n->negative ? (int64_t)(0 - n->digits) : (int64_t)n->digits);
}

static bool put(struct filling *f, const json_t *v)
{
    const kiln_dtype dtype = f->g->dtype;

    if (dtype == KILN_STRING) {
        if (!json_is_string(v))
            return filling_refuse(f, "is no text, must be one:");
        f->string[f->at] = json_string_value(v);
        f->length[f->at++] = json_string_length(v);
        return true;
    }
    if (json_is_boolean(v) && dtype == KILN_BOOL) {
        put_whole(f->data, f->at++, dtype, json_is_true(v));
        return true;
    }
    if (!json_is_number(v))
        return filling_refuse(f, "is no number, must be");
    if (!kiln_dtype_is_float(dtype) && !json_is_integer(v))
        return filling_refuse(f, "is no whole number, must be");
    if (kiln_dtype_is_float(dtype) ? !put_float(f->data, f->at, dtype, json_number_value(v))
                                   : !put_whole(f->data, f->at, dtype, json_integer_value(v)))
        return filling_refuse(f, "does not fit in");
    f->at++;
    return true;
}

static bool nested_otherwise(const struct filling *f)
{
    snprintf(f->why, TYPE_WHY, "input '%.80s': the data are nested otherwise than the shape says", f->g->name);
    return false;
}

static bool check_count(const struct filling *f, int64_t count)
{
    if (count != f->g->count)
        snprintf(f->why, TYPE_WHY, "input '%.80s': there are %lld elements, the shape asks for %lld", f->g->name,
                 (long long)count, (long long)f->g->count);
    return count == f->g->count;
}

/* -- objects of JSON -- */

/* The lists of dimension d; as deep as there are dimensions. */
static bool put_nested(struct filling *f, const json_t *list, int d)
{
    if (!json_is_array(list) || (int64_t)json_array_size(list) != f->g->dims[d])
        return nested_otherwise(f);
    for (size_t k = 0; k < json_array_size(list); k++)
        if (d + 1 == f->g->rank ? !put(f, json_array_get(list, k)) : !put_nested(f, json_array_get(list, k), d + 1))
            return false;
    return true;
}

static bool put_all(struct filling *f, const json_t *data)
{
    if (f->g->rank > 1 && json_is_array(json_array_get(data, 0)))
        return put_nested(f, data, 0);
    if (!check_count(f, (int64_t)json_array_size(data)))
        return false;
    for (size_t k = 0; k < json_array_size(data); k++)
        if (!put(f, json_array_get(data, k)))
            return false;
    return true;
}

/* -- lists as text -- */

/* A list while it is walked through. */
struct walk {
    struct filling *f;
    int depth, most;                  /* lists that are open, and that are in numbers */
    int64_t count[KILN_MAX_RANK + 1]; /* items that the open lists have */
    enum { ITEM, ITEM_OR_END, COMMA_OR_END } next;
};

/* What is more than there is place for is counted. */
static size_t walk_number(struct walk *w, const char *s)
{
    struct filling *f = w->f;
    struct written n;
    const size_t size = w->next != COMMA_OR_END && w->depth == w->most ? written_number(&n, s) : 0;
    const kiln_dtype dtype = f->g->dtype;

    w->next = COMMA_OR_END;
    w->count[w->depth]++;
    if (!size)
        snprintf(f->why, TYPE_WHY, "input '%.80s': the numbers cannot be read, at '%.*s'", f->g->name,
                 (int)strcspn(s, ",] \n\r\t") < 20 ? (int)strcspn(s, ",] \n\r\t") : 20, s);
    if (!size || f->at++ >= f->g->count)
        return size;
    f->at--;
    if (!kiln_dtype_is_float(dtype) && !n.whole)
        return filling_refuse(f, n.value == rint(n.value) ? "does not fit in" : "is no whole number, must be");
    if (kiln_dtype_is_float(dtype) ? !put_float(f->data, f->at, dtype, n.value)
                                   : !put_digits(f->data, f->at, dtype, &n))
        return filling_refuse(f, "does not fit in");
    f->at++;
    return size;
}

static bool walk_bracket(struct walk *w, char c)
{
    const struct given *g = w->f->g;

    if (c == '[') {
        if (w->next == COMMA_OR_END || w->depth == w->most)
            return nested_otherwise(w->f);
        w->count[++w->depth] = 0;
        w->next = ITEM_OR_END;
        return true;
    }
    if (w->next == ITEM || (w->most > 1 && w->count[w->depth] != g->dims[w->depth - 1]))
        return nested_otherwise(w->f);
    w->count[--w->depth]++;
    w->next = COMMA_OR_END;
    return true;
}

static bool put_list(struct filling *f, const struct cut *list)
{
    const size_t inner = 1 + strspn(list->text + 1, " \n\r\t");
    struct walk w = { .f = f, .most = list->text[inner] == '[' ? f->g->rank : 1, .next = ITEM };
    size_t n;

    for (size_t at = 0; at < list->length; at += n) {
        const char *s = list->text + at;

        n = 1;
        if (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t')
            continue;
        if (*s == ',' && w.next == COMMA_OR_END)
            w.next = ITEM;
        else if (*s == '[' || *s == ']' ? !walk_bracket(&w, *s) : !(n = walk_number(&w, s)))
            return false;
    }
    return check_count(f, f->at);
}

kiln_tensor *given_list(const struct given *g, const struct cut *list, char why[TYPE_WHY])
{
    struct filling f = { .g = g, .why = why };
    kiln_tensor *t;

    if (g->dtype == KILN_STRING) {
        filling_refuse(&f, "is no text, must be one:");
        return NULL;
    }
    t = filling_new(g, why);
    f.data = kiln_tensor_data(t);
    if (t && put_list(&f, list))
        return t;
    kiln_tensor_free(t);
    return NULL;
}

/* -- all of it -- */

static bool fill_strings(struct filling *f, const void *data)
{
    return put_all(f, data);
}

kiln_tensor *given_json(const struct given *g, const json_t *data, char why[TYPE_WHY])
{
    struct filling f = { .g = g, .why = why };
    kiln_tensor *t;

    if (!json_is_array(data)) {
        snprintf(why, TYPE_WHY, "input '%.80s': \"data\" must be a list", g->name);
        return NULL;
    }
    if (g->dtype == KILN_STRING)
        return filling_strings(g, fill_strings, data, why);
    t = filling_new(g, why);
    f.data = kiln_tensor_data(t);
    if (t && put_all(&f, data))
        return t;
    kiln_tensor_free(t);
    return NULL;
}
