/* IDX files, http://yann.lecun.com/exdb/mnist/: MNIST and its successors. Plain or gzipped, every element type, up to
 * MAX_RANK dimensions. */
#ifndef KILN_DATA_IDX_H
#define KILN_DATA_IDX_H

#include "data/array_reader.h"

/* NULL with an error. The path must outlive it. */
struct array_reader *idx_open(const char *path, const struct type_check *check, struct budget *b, struct report *r);
/* out->data is freed with budget_free; it is NULL on failure. */
bool idx_load(struct tensor *out, const char *path, const struct type_check *check, struct budget *b, struct report *r);

#endif
