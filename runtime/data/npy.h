/* NumPy's array files, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3: every
 * numeric type, either order of bytes and of axes. What is read is little-endian or as the machine has it, and
 * row-major, always. */
#ifndef KILN_DATA_NPY_H
#define KILN_DATA_NPY_H

#include "base/text.h"
#include "data/array_reader.h"

/* Of a source that outlives it, unless `close` is given, which ends that with it, also on failure. NULL with an
 * error. */
struct array_reader *npy_open(struct source *s, void (*close)(struct source *s), const struct type_check *check,
                              struct budget *b, struct report *r);
/* The path must outlive it. */
struct array_reader *npy_open_file(const char *path, const struct type_check *check, struct budget *b,
                                   struct report *r);
/* Reads a whole source. out->data is freed with budget_free; it is NULL on failure. */
bool npy_read(struct tensor *out, struct source *s, const struct type_check *check, struct budget *b, struct report *r);
bool npy_load(struct tensor *out, const char *path, const struct type_check *check, struct budget *b, struct report *r);
/* Writes a whole file, or none (model/file.h). */
bool npy_save(const struct tensor *t, const char *path, struct budget *b, struct report *r);
/* Adds a file's bytes, version 1. A type that NumPy lacks is refused; running out of memory is `to`'s to tell. */
bool npy_write(const struct tensor *t, const char *name, struct text *to, struct report *r);
/* The same without the elements, which follow it, little-endian. */
bool npy_header(const struct tensor *t, const char *name, struct text *to, struct report *r);

#endif
