/* Where bytes come from: memory, a file, a member of an archive. How many are left is known before anything is read, so
 * that what a header claims is held against it before memory is asked for. */
#ifndef KILN_DATA_SOURCE_H
#define KILN_DATA_SOURCE_H

#include "model/files.h"

struct source {
    const char *name; /* for messages; borrowed */
    int64_t left;     /* bytes until the end */
    bool (*fill)(struct source *s, void *to, size_t bytes, struct report *r);
};

/* Exactly `bytes`, or an error. */
bool source_read(struct source *s, void *to, int64_t bytes, struct report *r);

/* Looks at what a file says that it holds, before memory is asked for and its elements are read: a few bytes can stand
 * for very many. NULL takes all. */
struct tensor;
struct type_check {
    bool (*fits)(const struct type_check *c, const struct tensor *type, const char *name, struct report *r);
};
static inline bool type_fits(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    return !c || c->fits(c, type, name, r);
}

struct memory_source {
    struct source source;
    const unsigned char *at;
};
void memory_source(struct memory_source *m, const char *name, const void *bytes, size_t size);

/* A regular file, nothing else: a FIFO would block and a device would not end. */
struct file_source {
    struct source source;
    int fd;
    int64_t at, size; /* `at` may be set to any place up to size, `left` with it */
};
/* On failure nothing is to be closed. */
bool file_source_open(struct file_source *f, const char *path, struct report *r);
/* One that is written again under its own name (FILE_READ_MODEL). */
bool file_source_open_as(struct file_source *f, const char *path, enum file_use use, struct report *r);
bool file_source_read_at(struct file_source *f, int64_t at, void *to, int64_t bytes, struct report *r);
void file_source_close(struct file_source *f);

#endif
