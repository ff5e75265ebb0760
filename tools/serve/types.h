/* Element types by the names that the Open Inference Protocol has for them, and their elements as it writes them. */
#ifndef KILN_SERVE_TYPES_H
#define KILN_SERVE_TYPES_H

#include "serve/numbers.h"
#include "serve/reading.h"
#include "tools.h"

/* "FP32"; NULL for a type that the protocol does not have. */
const char *type_name(kiln_dtype dtype);
/* UNDEFINED where there is no such name. */
kiln_dtype type_find(const char *name);

/* What an input is to be made of. */
struct given {
    const char *name; /* for errors */
    kiln_dtype dtype;
    int rank;
    int64_t dims[KILN_MAX_RANK], count; /* of all elements */
};

enum { TYPE_WHY = 300 };

/* From "data": all elements one after the other, or nested as the shape is. NULL, and `why` says it. */
kiln_tensor *given_json(const struct given *g, const json_t *data, char why[TYPE_WHY]);
/* The same from a list that was cut out. */
kiln_tensor *given_list(const struct given *g, const struct cut *list, char why[TYPE_WHY]);
/* From the bytes behind the JSON: little-endian, strings with four bytes of length before each. */
kiln_tensor *given_bytes(const struct given *g, const char *bytes, size_t size, char why[TYPE_WHY]);

/* The other way: how many bytes that will be, and those. */
size_t taken_size(const kiln_tensor *t);
void taken_bytes(const kiln_tensor *t, struct page *to);

#endif
