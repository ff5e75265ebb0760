/* An array in a file whose elements are read in their order, so that not all of them need be in memory. */
#ifndef KILN_DATA_ARRAY_READER_H
#define KILN_DATA_ARRAY_READER_H

#include "data/source.h"
#include "tensor/tensor.h"

struct array_reader {
    struct tensor type; /* without data */
    const char *why;    /* all of it had to be read at once, and is in memory: the reason; NULL */
    bool (*read)(struct array_reader *a, void *to, int64_t elements, struct report *r); /* as many as that are left */
    bool (*end)(struct array_reader *a,
                struct report *r); /* when all are read: nothing follows, check sums are right */
    void (*close)(struct array_reader *a);
};

/* All of it, and closes it; which may be NULL. out->data is freed with budget_free; it is NULL on failure. */
bool array_load(struct tensor *out, struct array_reader *a, struct budget *b, struct report *r);

#endif
