/* Tables of numbers as text (RFC 4180): a row for each sample, its features first, what is to be predicted last. A
 * first line that names a column is a header: a name has a letter, and does not say that there is no number ("nan",
 * "inf", "NA", "null" ...). Everywhere else an empty field or one that is no number is an error. The point is '.' and
 * the separator ',' whatever the locale. */
#ifndef KILN_DATA_CSV_H
#define KILN_DATA_CSV_H

#include "tensor/tensor.h"

/* x: float [N,F]. y: int64 [N], or float [N] with `values`. Both are freed with budget_free, and NULL on failure.
 * *header: was the first line one? */
bool csv_load(struct tensor *x, struct tensor *y, const char *path, bool values, bool *header, struct budget *b,
              struct report *r);
bool csv_parse(struct tensor *x, struct tensor *y, const char *name, const char *bytes, size_t size, bool values,
               bool *header, struct budget *b, struct report *r);

#endif
