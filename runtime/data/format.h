/* Formats of data sets. Each is a file in formats/ and a line in its meson.build: nothing else knows which there are.
 * What reads a format's bytes and is of use elsewhere, too, stands beside this (idx.h, npz.h ...). */
#ifndef KILN_DATA_FORMAT_H
#define KILN_DATA_FORMAT_H

#include "base/spec.h"
#include "data/dataset.h"
#include "data/rows.h"
#include "data/source.h"
#include <limits.h>

enum { SPEC_SIZE = 2 * PATH_MAX }; /* what is asked for is shorter */

/* Where data have none of what a model needs. */
#define HOW_VALUES_ARE_GIVEN                                                                                           \
    "`kiln init` gives parameters values, --set of `kiln adapt` or `kiln convert` gives them to inputs"

/* What is asked for. */
struct format_request {
    const char *name;  /* the format's */
    const char *where; /* what follows the name: a file, a directory; NULL where it is left out */
    bool part_named;   /* was a part asked for, */
    enum part part;    /* this one? Else it is the one that the command wants */
    const struct data_options *options;
    /* To be asked by type_fits before memory is: can the input of options->input[k] take samples of this type, [N,
     * ...]; of what is to be predicted: are there as many as d->x has? */
    const struct type_check *const *samples; /* [options->inputs], at least 1 */
    const struct type_check *rows;
};

struct format_def {
    struct spec_row row;
    const char *where;          /* what follows the name: "FILE", "DIR" */
    bool where_left_out;        /* may that be left out? */
    int classes;                /* labels are below; 0: what the labels show */
    bool parts;                 /* has a part to test with, or finds out by itself (format_no_parts) */
    bool names;                 /* columns are found by the names of the model's inputs and outputs (format_columns) */
    bool labels;                /* options->label says what is to be predicted */
    bool folder;                /* a path alone is of this format where it is a folder, */
    const char *const *endings; /* or ends so: ".csv"; ended by NULL; may be NULL */
    /* Tells d->x->values [N, ...] and d->y->values [N, ...], and d->weights where there are such, their types as they
     * are in the file, without data: real numbers. d->source reads them, and is in memory of d->columns. Where
     * options->window is asked for, it must get by with memory for a few rows; or that is an error that says why
     * not. */
    bool (*open)(struct dataset *d, const struct format_request *q, struct report *r);
};

extern const struct format_def *const format_registry[]; /* ended by NULL; made from formats/meson.build */

/* Makes so many columns in place of the one of each that there are at first. */
bool format_columns(struct dataset *d, size_t inputs, size_t targets, struct report *r);
/* Labels are numbers of these names, which the format has found; NULL: they have none. An error where the classes that
 * are asked for are numbers without names. */
bool format_take_names(struct column *y, const char *const *names, int count, const struct column_request *q,
                       const char *where, struct report *r);
/* In place of what is to be predicted, where that need not be there: a zero for each sample, which d->source knows
 * nothing of. */
void format_unlabelled(struct dataset *d);
/* For data that prove to have one part only: false, with an error, where another one is asked for. */
bool format_no_parts(const struct format_request *q, struct report *r);
spec_table format_table;
/* What may be written, for people: "csv:FILE, idx:IMAGES,LABELS or ...", and each with its help in a line of its own. */
void format_names(struct text *out);
void format_help(struct text *out);

#endif
