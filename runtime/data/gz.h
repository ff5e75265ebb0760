/* A file that may be gzipped, from its beginning to its end. What it can unpack to is bounded by its size. */
#ifndef KILN_DATA_GZ_H
#define KILN_DATA_GZ_H

#include "base/memory.h"

struct gz {
    const char *name;
    void *file;   /* zlib's gzFile */
    int64_t most; /* bytes that it can hold; those that were read are taken off */
    const struct budget *budget;
};

/* On failure nothing is to be closed. */
bool gz_open(struct gz *g, const char *path, const struct budget *b, struct report *r);
/* Exactly `bytes`, or an error. */
bool gz_read(struct gz *g, void *to, int64_t bytes, struct report *r);
/* Is there more? *end tells. False with an error. */
bool gz_at_end(struct gz *g, bool *end, struct report *r);
/* Closes it, after an error. */
void gz_close(struct gz *g);
/* The last call where all is well so far: there must be nothing more, and the check sum at the end of a gzip file must be
 * right. Closes it in any case. */
bool gz_end(struct gz *g, struct report *r);

#endif
