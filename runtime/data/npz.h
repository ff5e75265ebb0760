/* NumPy's archives of arrays: .npy files in a ZIP file (PKWARE APPNOTE 6.3.10), stored or deflated, with or without
 * zip64.
 *
 * Only what an archive of arrays needs is read, and nothing is ever written: names are compared, never used as paths.
 * What a member claims to hold is held against what its compressed bytes can hold at most, then charged to the budget,
 * then inflated into just that. */
#ifndef KILN_DATA_NPZ_H
#define KILN_DATA_NPZ_H

#include "data/npy.h"

struct npz;

bool npz_open(struct npz **out, const char *path, struct budget *b, struct report *r);
/* One that is written again under its own name (FILE_READ_MODEL). */
bool npz_open_as(struct npz **out, const char *path, enum file_use use, struct budget *b, struct report *r);
void npz_close(struct npz *z);
bool npz_has(const struct npz *z, const char *name); /* "x" is member x.npy */
/* NULL with an error. The archive must outlive it. */
struct array_reader *npz_open_array(struct npz *z, const char *name, const struct type_check *check, struct budget *b,
                                    struct report *r);
bool npz_read(struct tensor *out, struct npz *z, const char *name, const struct type_check *check, struct report *r);
/* "x, y, weights": what there is, for messages; cut where it is long. */
void npz_names(const struct npz *z, char *text, size_t size);

#endif
