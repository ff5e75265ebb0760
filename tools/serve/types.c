#include "serve/filling.h"
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

/* -- tensors -- */

bool filling_refuse(const struct filling *f, const char *what)
{
    snprintf(f->why, TYPE_WHY, "input '%.80s': element %lld %s %s", f->g->name, (long long)f->at, what,
             type_name(f->g->dtype));
    return false;
}

static bool no_memory(const struct given *g, char why[TYPE_WHY])
{
    snprintf(why, TYPE_WHY, "input '%.80s': there is no memory for it", g->name);
    return false;
}

kiln_tensor *filling_strings(const struct given *g, bool (*fill)(struct filling *, const void *), const void *from,
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

kiln_tensor *filling_new(const struct given *g, char why[TYPE_WHY])
{
    kiln_tensor *t;

    if (kiln_tensor_new(&t, g->dtype, g->rank, g->dims, NULL, NULL) != KILN_OK)
        no_memory(g, why);
    return t;
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
            return filling_refuse(f, "is cut short, in the bytes of");
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
        return filling_strings(g, fill_counted, &(struct bytes){ bytes, size }, why);
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
