/* What is to be predicted: whether the numbers of a file are classes, and how they stand for them. */
#ifndef KILN_DATA_TARGET_H
#define KILN_DATA_TARGET_H

#include "data/dataset.h"

/* A column that is to be predicted, what is asked of it, and where errors are. */
struct target_column {
    struct column *column;
    const struct column_request *request;
    const char *where;
    struct budget *budget;
    int64_t rows;
};

/* Makes it labels, int64, in place of integers of any type or of one-hot rows, unless values are wanted or it holds
 * fractions: then float. `classes`: those of the format, or 0. */
bool target_convert(const struct target_column *t, int classes, struct report *r);

#endif
