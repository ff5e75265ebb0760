/* What is to be predicted: whether the numbers of a file are classes, and how they stand for them. All of them must
 * have been looked at to tell; they may come in pieces. */
#ifndef KILN_DATA_TARGET_H
#define KILN_DATA_TARGET_H

#include "data/dataset.h"

/* A column that is to be predicted, what is asked of it, and where errors are. */
struct target_column {
    struct column *column; /* as it is in the file; its data are looked at by target_convert alone */
    const struct column_request *request;
    const char *where;
    struct budget *budget;
    int64_t rows;
};

/* What becomes of the numbers. */
enum target_take {
    TAKE_VALUES,  /* float, of the same shape */
    TAKE_LABELS,  /* int64: integers, one for each sample or for each position of it */
    TAKE_ONE_HOT, /* int64, one for each sample: rows that are 1 in one place */
    TAKES
};

/* Labels that were met. */
struct label_range {
    int64_t most, least;
    int64_t bad, sample; /* the first that cannot be one, and its sample, from 1; 0: there is none */
};

/* What has been seen of a column. */
struct target_look {
    const struct target_column *of;
    struct tensor type; /* of what is looked at */
    int64_t width;      /* numbers of a sample */
    int known;          /* classes; 0 */
    bool whole, one_hot;
    struct label_range labels, hot;
    int64_t negative, negative_sample; /* the first label below 0, and its sample, from 1 */
};

/* `classes`: those of the format, or 0. */
bool target_look_begin(struct target_look *l, const struct target_column *t, int classes, struct report *r);
/* Samples [first, first + n), which begin at `data`. */
bool target_look(struct target_look *l, const void *data, int64_t first, int64_t n, struct report *r);
/* Tells the column its classes, and its type without data. An error where labels are none. */
bool target_look_end(const struct target_look *l, enum target_take *take, struct report *r);
/* The type that a column of this type becomes. */
struct tensor target_type(const struct tensor *type, enum target_take take);
/* n samples of that type, from what is in the file. */
void target_take(enum target_take take, const struct tensor *type, const void *from, int64_t n, void *to);

/* All at once, in memory: makes it labels, int64, in place of integers of any type or of one-hot rows, unless values
 * are wanted or it holds fractions: then float. */
bool target_convert(const struct target_column *t, int classes, struct report *r);

#endif
