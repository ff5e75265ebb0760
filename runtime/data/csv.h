/* Tables of numbers as text (RFC 4180): a row for each sample, its features first, what is to be predicted last. A
 * first line that is not all numbers is a header. The point is '.' and the separator ',' whatever the locale. */
#ifndef KILN_DATA_CSV_H
#define KILN_DATA_CSV_H

#include "tensor/tensor.h"

/* x: float [N,F]. y: int64 [N], or float [N] with `values`. Both are freed with budget_free, and NULL on failure. */
bool csv_load(struct tensor *x, struct tensor *y, const char *path, bool values, struct budget *b, struct report *r);
bool csv_parse(struct tensor *x, struct tensor *y, const char *name, const char *bytes, size_t size, bool values,
               struct budget *b, struct report *r);

#endif
