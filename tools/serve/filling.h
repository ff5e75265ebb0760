/* How inputs are made of elements. */
#ifndef KILN_SERVE_FILLING_H
#define KILN_SERVE_FILLING_H

#include "serve/types.h"

/* Where elements go. */
struct filling {
    const struct given *g;
    void *data;          /* NULL of strings, which are: */
    const char **string; /* [count] */
    size_t *length;
    int64_t at;
    char *why;
};

/* Always false: why element f->at is none of its type. */
bool filling_refuse(const struct filling *f, const char *what);
/* Zeros; NULL with an error. */
kiln_tensor *filling_new(const struct given *g, char why[TYPE_WHY]);
/* Strings, which `fill` finds in `from`. */
kiln_tensor *filling_strings(const struct given *g, bool (*fill)(struct filling *, const void *), const void *from,
                             char why[TYPE_WHY]);

#endif
