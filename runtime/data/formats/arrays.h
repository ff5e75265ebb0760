/* Columns that are arrays, in files of their own or in one archive. */
#ifndef KILN_DATA_FORMATS_ARRAYS_H
#define KILN_DATA_FORMATS_ARRAYS_H

#include "data/array_reader.h"
#include "data/format.h"

/* How they are read. */
struct array_kind {
    /* Array `name` of the archive, which is NULL where each is a file of this name. */
    struct array_reader *(*open)(void *archive, const char *name, const struct type_check *check, struct budget *b,
                                 struct report *r);
    /* The archive, for a pass; NULL without one. */
    bool (*open_archive)(void **archive, const char *path, struct budget *b, struct report *r);
    void (*close_archive)(void *archive);
};
extern const struct array_kind array_idx, array_npy, array_npz;

struct array_files;

/* Becomes the source of the set's rows: `path` is that of the archive, or NULL, and `most` how many columns there may
 * be. NULL with an error. */
struct array_files *arrays_new(struct dataset *d, const struct array_kind *kind, const char *path, size_t most,
                               struct report *r);
/* The next column, in the order of the set's: tells it the type of array `name`. */
bool arrays_add(struct array_files *f, struct column *c, const char *name, const struct type_check *check,
                const struct format_request *q, struct report *r);

#endif
