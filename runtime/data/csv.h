/* Tables as text (RFC 4180): a row for each sample, whose columns are numbers, but for one that may be the label: a
 * number, or a text, which is the name of a class. A first line that names columns is a header: a name has a letter, and
 * does not say that there is no number ("nan", "inf", "NA", "null" ...); the line below it has no name there.
 * Everywhere else an empty field or one that is no number is an error. The point is '.' whatever the locale; the
 * separator is ',', a tab or ';', whichever the first line has most of, in .tsv a tab. */
#ifndef KILN_DATA_CSV_H
#define KILN_DATA_CSV_H

#include "data/rows.h"
#include "data/source.h"
#include "tensor/tensor.h"

struct csv_request {
    const char *label;              /* its name in the header, "first", "last" or "none"; NULL: the last one, unless the
                                        first looks more like it, which is an error */
    bool values;                    /* numbers are to be predicted: how the columns look is no sign of classes */
    bool unlabelled;                /* there need be no label: there is none where all columns are for the input.
                                        With a label that cannot be read there is no y, unless `gaps` */
    bool gaps;                      /* what is missing, or "nan", is read as NaN */
    const struct type_check *input; /* of the model, that takes the other columns; may be NULL */
    const char *const *class_names; /* [classes] what texts stand for; NULL: those of the file, sorted by bytes */
    int classes;
};

struct csv_table {
    struct tensor x;                /* float [N,F] */
    struct tensor y;                /* [N], double (numbers) or int64 (classes by names); of rank 0 without a label */
    bool header;                    /* was the first line one? */
    int64_t columns, label;         /* which of them it is; -1: none */
    const char *label_name;         /* in the header; NULL */
    const char *const *class_names; /* [classes] of labels that are texts */
    int classes;
};

/* A table that was looked at: how many rows and columns there are, which is the label, what its texts are. x and y have
 * their types in *out, without data. In the arena; NULL with an error. */
struct row_source *csv_source(struct csv_table *out, const char *path, const struct csv_request *q, struct arena *a,
                              struct report *r);

#endif
