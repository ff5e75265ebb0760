/* Strings that a step makes, many at once: one block of the run's heap holds them all. */
#ifndef KILN_OPS_STRINGS_H
#define KILN_OPS_STRINGS_H

#include "ops/op.h"

static inline const char *string_bytes(const struct string *s)
{
    return s ? s->bytes : "";
}
static inline size_t string_length(const struct string *s)
{
    return s ? s->length : 0;
}

/* What so many bytes take as a string in a block. */
static inline size_t string_room(size_t length)
{
    return (sizeof(struct string) + length + sizeof(size_t) - 1) / sizeof(size_t) * sizeof(size_t);
}
/* The next string of a block whose room begins at *at, its bytes to be written. */
static inline struct string *string_put(char **at, size_t length)
{
    struct string *s = (struct string *)(void *)*at;

    s->length = length;
    *at += string_room(length);
    return s;
}

enum { STRINGS_OFTEN = 1024 }; /* strings after which the time is looked at */

#endif
