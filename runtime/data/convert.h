/* What a format or a caller gives becomes what a data set holds: labels, floats, numbers that are such. */
#ifndef KILN_DATA_CONVERT_H
#define KILN_DATA_CONVERT_H

#include "data/stream.h"

/* Of a set whose columns are in memory as they are in the file, and whose range has been chosen; `classes`: those of
 * the format, or 0. */
bool dataset_convert(struct dataset *d, int classes, const struct data_options *o, const char *where, struct report *r);
/* Of a stream: in a pass over its rows; columns get their types. */
bool dataset_look(struct dataset *d, int classes, const struct data_options *o, struct report *r);

/* Rows [first, first + n) of a stream that nobody has looked at before, as its source gave them: are they what was
 * said? */
bool rows_check(const struct dataset *d, void *const *rows, int64_t first, int64_t n, struct report *r);

#endif
