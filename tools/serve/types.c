#include "serve/types.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    kiln_dtype dtype;
    const char *name;
} types[] = {
    { KILN_BOOL, "BOOL" },     { KILN_UINT8, "UINT8" },   { KILN_UINT16, "UINT16" }, { KILN_UINT32, "UINT32" },
    { KILN_UINT64, "UINT64" }, { KILN_INT8, "INT8" },     { KILN_INT16, "INT16" },   { KILN_INT32, "INT32" },
    { KILN_INT64, "INT64" },   { KILN_FLOAT16, "FP16" },  { KILN_FLOAT, "FP32" },    { KILN_DOUBLE, "FP64" },
    { KILN_STRING, "BYTES" },  { KILN_BFLOAT16, "BF16" },
};

const char *type_name(kiln_dtype dtype)
{
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (types[k].dtype == dtype)
            return types[k].name;
    return NULL;
}

kiln_dtype type_find(const char *name)
{
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (strcmp(types[k].name, name) == 0)
            return types[k].dtype;
    return KILN_UNDEFINED;
}

/* -- elements of JSON -- */

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
        return true;
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

/* Where elements go. */
struct filling {
    const struct given *g;
    void *data;          /* NULL of strings, which are: */
    const char **string; /* [count] */
    size_t *length;
    int64_t at;
    char *why;
};

static bool refuse(const struct filling *f, const char *what)
{
    snprintf(f->why, TYPE_WHY, "input '%.80s': element %lld %s %s", f->g->name, (long long)f->at, what,
             type_name(f->g->dtype));
    return false;
}

static bool put(struct filling *f, const json_t *v)
{
    const kiln_dtype dtype = f->g->dtype;

    if (dtype == KILN_STRING) {
        if (!json_is_string(v))
            return refuse(f, "is no text, must be one:");
        f->string[f->at] = json_string_value(v);
        f->length[f->at++] = json_string_length(v);
        return true;
    }
    if (json_is_boolean(v) && dtype == KILN_BOOL) {
        put_whole(f->data, f->at++, dtype, json_is_true(v));
        return true;
    }
    if (!json_is_number(v))
        return refuse(f, "is no number, must be");
    if (!kiln_dtype_is_float(dtype) && !json_is_integer(v))
        return refuse(f, "is no whole number, must be");
    if (kiln_dtype_is_float(dtype) ? !put_float(f->data, f->at, dtype, json_number_value(v))
                                   : !put_whole(f->data, f->at, dtype, json_integer_value(v)))
        return refuse(f, "does not fit in");
    f->at++;
    return true;
}

/* The lists of dimension d; as deep as there are dimensions. */
static bool put_nested(struct filling *f, const json_t *list, int d)
{
    if (!json_is_array(list) || (int64_t)json_array_size(list) != f->g->dims[d]) {
        snprintf(f->why, TYPE_WHY, "input '%.80s': the data are nested otherwise than the shape says", f->g->name);
        return false;
    }
    for (size_t k = 0; k < json_array_size(list); k++)
        if (d + 1 == f->g->rank ? !put(f, json_array_get(list, k)) : !put_nested(f, json_array_get(list, k), d + 1))
            return false;
    return true;
}

static bool put_all(struct filling *f, const json_t *data)
{
    if (f->g->rank > 1 && json_is_array(json_array_get(data, 0)))
        return put_nested(f, data, 0);
    if ((int64_t)json_array_size(data) != f->g->count) {
        snprintf(f->why, TYPE_WHY, "input '%.80s': there are %zu elements, the shape asks for %lld", f->g->name,
                 json_array_size(data), (long long)f->g->count);
        return false;
    }
    for (size_t k = 0; k < json_array_size(data); k++)
        if (!put(f, json_array_get(data, k)))
            return false;
    return true;
}

/* -- tensors -- */

static bool no_memory(const struct given *g, char why[TYPE_WHY])
{
    snprintf(why, TYPE_WHY, "input '%.80s': there is no memory for it", g->name);
    return false;
}

static kiln_tensor *make_strings(const struct given *g, bool (*fill)(struct filling *, const void *), const void *from,
                                 char why[TYPE_WHY])
{
    struct filling f = { .g = g, .why = why };
    kiln_tensor *t = NULL;

    f.string = calloc((size_t)g->count + 1, sizeof *f.string);
    f.length = calloc((size_t)g->count + 1, sizeof *f.length);
    if (!f.string || !f.length)
        no_memory(g, why);
    else if (fill(&f, from) && kiln_tensor_new_strings(&t, g->rank, g->dims, f.string, f.length, NULL) != KILN_OK)
        no_memory(g, why);
    free(f.string);
    free(f.length);
    return t;
}

static kiln_tensor *make(const struct given *g, char why[TYPE_WHY])
{
    kiln_tensor *t;

    if (kiln_tensor_new(&t, g->dtype, g->rank, g->dims, NULL, NULL) != KILN_OK)
        no_memory(g, why);
    return t;
}

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
        return make_strings(g, fill_strings, data, why);
    t = make(g, why);
    f.data = kiln_tensor_data(t);
    if (t && put_all(&f, data))
        return t;
    kiln_tensor_free(t);
    return NULL;
}

/* -- bytes -- */

struct bytes {
    const char *at;
    size_t left;
};

static uint32_t read_length(const char *s)
{
    const unsigned char *b = (const unsigned char *)s;

    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static bool fill_counted(struct filling *f, const void *from)
{
    struct bytes b = *(const struct bytes *)from;

    for (; f->at < f->g->count; f->at++) {
        if (b.left < 4 || read_length(b.at) > b.left - 4)
            return refuse(f, "is cut short, in the bytes of");
        f->length[f->at] = read_length(b.at);
        f->string[f->at] = b.at + 4;
        b.at += 4 + f->length[f->at];
        b.left -= 4 + f->length[f->at];
    }
    if (b.left)
        snprintf(f->why, TYPE_WHY, "input '%.80s': %zu bytes are left behind its last string", f->g->name, b.left);
    return !b.left;
}

kiln_tensor *given_bytes(const struct given *g, const char *bytes, size_t size, char why[TYPE_WHY])
{
    const size_t each = kiln_dtype_size(g->dtype);
    kiln_tensor *t;

    if (g->dtype == KILN_STRING)
        return make_strings(g, fill_counted, &(struct bytes){ bytes, size }, why);
    if (size % each || size / each != (size_t)g->count) {
        snprintf(why, TYPE_WHY, "input '%.80s': there are %zu bytes, the shape asks for %lld elements of %zu", g->name,
                 size, (long long)g->count, each);
        return NULL;
    }
    for (size_t k = 0; g->dtype == KILN_BOOL && k < size; k++)
        if ((unsigned char)bytes[k] > 1) {
            snprintf(why, TYPE_WHY, "input '%.80s': element %zu is %u, must be 0 or 1", g->name, k,
                     (unsigned)(unsigned char)bytes[k]);
            return NULL;
        }
    if (kiln_tensor_new(&t, g->dtype, g->rank, g->dims, size ? bytes : NULL, NULL) != KILN_OK)
        no_memory(g, why);
    return t;
}

size_t taken_size(const kiln_tensor *t)
{
    size_t sum = 0, length;

    if (kiln_tensor_dtype(t) != KILN_STRING)
        return kiln_tensor_bytes(t);
    for (int64_t k = 0; k < kiln_tensor_count(t); k++) {
        kiln_tensor_string(t, k, &length);
        sum += 4 + length;
    }
    return sum;
}

void taken_bytes(const kiln_tensor *t, struct page *to)
{
    size_t length;

    if (kiln_tensor_dtype(t) != KILN_STRING) {
        if (kiln_tensor_bytes(t))
            page_add(to, kiln_tensor_data(t), kiln_tensor_bytes(t));
        return;
    }
    for (int64_t k = 0; k < kiln_tensor_count(t); k++) {
        const char *s = kiln_tensor_string(t, k, &length);
        const char size[] = { (char)length, (char)(length >> 8), (char)(length >> 16), (char)(length >> 24) };

        page_add(to, size, sizeof size);
        page_add(to, s, length);
    }
}
