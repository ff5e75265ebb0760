/* A data set: samples and what is to be predicted from them, as they are in the file (images stay bytes until a batch
 * is made), in memory or as a stream (data/stream.h).
 *
 * Which one is written as SPEC, "NAME[:WHERE][:PART][RANGE]": NAME is that of a format (data/format.h), such as
 * "csv:FILE".
 *
 * A path may stand alone where its ending tells the format: "train.csv[:100]".
 *
 * PART is "train" or "test", where the data have parts; RANGE is "[from:to]", counted from 0, either of them may be
 * left out. So the second thousand of the training images is "fashion-mnist:train[1000:2000]". A path that ends like a
 * part or a range is followed by one. */
#ifndef KILN_DATA_DATASET_H
#define KILN_DATA_DATASET_H

#include "base/memory.h"
#include "tensor/tensor.h"

struct row_source;
struct stream;

enum part { PART_TRAIN, PART_TEST };

/* A tensor that holds a row for each sample. */
struct column {
    const char *name;     /* of the model's input or output; NULL: of the only one, or of the first */
    struct tensor values; /* [rows, ...]; to be predicted: int64 [rows, ...] where there are classes, else float */
    int classes;          /* of what is to be predicted: labels are below; 0: it holds numbers */
    int64_t least;    /* of labels: the smallest; of whole numbers that are no labels because one is negative: that */
    int64_t negative; /* its sample, from 1; 0: there is none */
    int64_t hot;      /* they were one-hot rows of so many numbers; 0: they were not */
    const char *const *class_names; /* [classes]; NULL: they have none */
    bool ignores;                   /* one label, whatever it is, is of no class: */
    int64_t ignored;
    uint32_t sum; /* of a stream: the check sum of its samples' values, as they would be in memory */
};

/* What a column is for. */
struct column_request {
    const char *name;          /* of the model's input or output; NULL: nothing is known of a model */
    const struct tensor *type; /* an input's: data that cannot fit are refused before they are unpacked; NULL: all are
                                  taken. Its first dimension is ignored, others may be UNKNOWN */
    int classes;               /* labels must be below; 0 is the data's own number, or what the labels show */
    bool values;               /* numbers are to be predicted (regression), not classes */
    bool probabilities;        /* values must be from 0 to 1 */
    int class_axis;            /* the dimension of a batch that holds the classes; 0: the last */
    const char *const *class_names; /* [classes] where labels are texts, or folders: what these stand for; NULL: any */
    bool ignores;                   /* one label, whatever it is, does not count: */
    int64_t ignored;
};

struct data_options {
    int64_t limit;                       /* the first samples only; 0 is all */
    size_t inputs, targets;              /* how many of each are asked for; 0: one, of which nothing is known */
    const struct column_request *input;  /* [inputs]: there must be a column for each */
    const struct column_request *target; /* [targets]: there must be one for at least one of them */
    bool unlabelled;                     /* there need be none: the targets are zeros then */
    size_t unnamed;                      /* the target that a column without a name is for */
    const struct tensor *weights;        /* of arrays: how much samples count; NULL: all alike */
    const char *label;                   /* which column of a table it is (data/csv.h); NULL: as the format has it */
    bool borrow;                         /* of arrays: the values of x stay where they are */
    bool gaps;                           /* NaN and infinity are taken, for those who look at data */
    int64_t window;                      /* the set is a stream, of which so many samples are shuffled among each other;
                                            0: it is read into memory */
};

struct dataset {
    struct column *x, *y; /* what a model reads, and what is to be predicted: at least one of each */
    size_t inputs, targets;
    int64_t from, count;      /* the samples are rows [from, from + count) of each, at least 1; of a stream that may be
                                 UNKNOWN */
    bool unlabelled;          /* the targets are none of the data's */
    bool header;              /* the first line of the file held names and is no sample */
    const char *label;        /* what was taken for the label, where that could be something else; NULL */
    const char *const *names; /* [rows] of the samples: files; NULL */
    bool owns;                /* the columns; a view does not */
    bool borrowed;            /* the values of x are the caller's */
    struct arena columns;     /* what x and y lie in, but for their values */
    struct budget *budget;
    struct column weights;           /* float [rows], how much samples count; of rank 0: all alike */
    const struct row_source *source; /* of its rows, until they are in memory */
    struct stream *stream;           /* NULL: they are */
};

/* `part` is what a SPEC that names none gets; data without parts have only a training part. On failure there is nothing
 * to release. */
bool dataset_open(struct dataset *out, const char *spec, enum part part, const struct data_options *options,
                  struct budget *b, struct report *r);
/* One of copies of tensors [N, ...] of real numbers; the names are copied, too. */
bool dataset_of_arrays(struct dataset *out, size_t inputs, const struct column *x, size_t targets,
                       const struct column *y, const struct data_options *options, struct budget *b, struct report *r);
void dataset_release(struct dataset *d);
/* For those who make one in another way: an empty one with so many columns; dataset_release also on failure. */
bool dataset_begin(struct dataset *d, const struct data_options *o, size_t inputs, size_t targets, const char *where,
                   struct budget *b, struct report *r);
/* Is there something for every input of the model, and does it fit? */
bool dataset_takes(const struct dataset *d, const struct data_options *o, const char *where, struct report *r);

/* Do samples have weights? */
static inline bool dataset_is_weighted(const struct dataset *d)
{
    return d->weights.values.rank > 0;
}
/* Its samples, or where they are not known more than there can be. */
static inline int64_t dataset_most(const struct dataset *d)
{
    return d->count == UNKNOWN ? INT64_MAX : d->count;
}
static inline bool column_has_labels(const struct column *c)
{
    return c->classes > 0;
}
static inline bool column_ignores(const struct column *c, int64_t label)
{
    return c->ignores && label == c->ignored;
}
/* Samples [from, to) of `d`, which must outlive the view; 0 <= from <= to <= count. */
struct dataset dataset_view(const struct dataset *d, int64_t from, int64_t to);
/* As Keras' validation_split: the last part validates, floor(count * (1 - fraction)) samples remain to train with. Both
 * are views. */
bool dataset_split(const struct dataset *d, double fraction, struct dataset *train, struct dataset *validation,
                   struct report *r);
/* What a sample has of it: its dimensions but the first. */
struct tensor column_sample(const struct column *c);
int64_t row_bytes(const struct tensor *t); /* of one row of such a column */
/* Is it the column of that name? Where either has no name it is, if it is `alone`. */
bool column_is(const struct column *c, const char *name, bool alone);
/* The column for request k: that of its name, or, where either has no name, the only one for the only request. NULL
 * where there is none. */
const struct column *column_find(const struct column *columns, size_t count, const struct column_request *requests,
                                 size_t requested, size_t k);

#endif
