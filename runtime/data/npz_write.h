/* Writing NumPy's archives, as numpy.savez does: .npy files, stored, in a ZIP file (PKWARE APPNOTE 6.3.10) with zip64's
 * sizes. Members are put one after the other, their elements from where they lie. */
#ifndef KILN_DATA_NPZ_WRITE_H
#define KILN_DATA_NPZ_WRITE_H

#include "base/text.h"
#include "model/file.h"
#include "tensor/tensor.h"

struct npz_writer {
    struct file_sink *to;
    struct report *report;
    struct text directory; /* of what has been put */
    uint64_t at, count;
};

/* For the `produce` of a file (model/file.h). */
void npz_begin(struct npz_writer *w, struct file_sink *to, struct budget *b, struct report *r);
/* Member NAME.npy. False with an error; npz_end in any case. */
bool npz_put(struct npz_writer *w, const char *name, const struct tensor *t);
/* Writes the directory, where `ok` says that all went well so far. */
bool npz_end(struct npz_writer *w, bool ok);

#endif
