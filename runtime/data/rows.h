/* Rows of a data set that come one after the other: from its files, as their format reads them, or from a callback. */
#ifndef KILN_DATA_ROWS_H
#define KILN_DATA_ROWS_H

#include "base/memory.h"

/* A pass over the rows. */
struct row_reader {
    /* Writes from 1 to n of the next rows: to[k] is where they go in column k, inputs before targets, then weights
     * where the set has them; of a set that is unlabelled inputs alone. *got is 0 when there are no more, of which it
     * is sure: what is at the end of files was looked at. It is not called again then, or after an error. */
    bool (*next)(struct row_reader *g, int64_t n, void *const *to, int64_t *got, struct report *r);
    void (*close)(struct row_reader *g);
};

struct row_source {
    /* Pass number `pass` over the data, from the first row on; its memory is the budget's. NULL with an error. Those
     * over files may be open at the same time, and by any number of threads. */
    struct row_reader *(*open)(const struct row_source *s, int64_t pass, struct budget *b, struct report *r);
};

#endif
