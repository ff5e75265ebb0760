/* A data set in memory: samples and what is to be predicted from them, as they are in the file (images stay bytes until
 * a batch is made).
 *
 * Which one is written as SPEC, "NAME[:WHERE][:PART][RANGE]": NAME is that of a format (data/format.h), such as
 * "csv:FILE".
 *
 * PART is "train" or "test", where the data have parts; RANGE is "[from:to]", counted from 0, either of them may be
 * left out. So the second thousand of the training images is "fashion-mnist:train[1000:2000]". A path that ends like a
 * part or a range is followed by one. */
#ifndef KILN_DATA_DATASET_H
#define KILN_DATA_DATASET_H

#include "tensor/tensor.h"

enum part { PART_TRAIN, PART_TEST };

struct data_options {
    int64_t limit;              /* the first samples only; 0 is all */
    int classes;                /* labels must be below; 0 is the data's own number, or what the labels show */
    bool values;                /* y holds numbers to be predicted (regression), not classes */
    const struct tensor *input; /* the type of the model's input that takes the samples: data that cannot fit are
                                   refused before they are unpacked; NULL: all are taken */
};

struct dataset {
    struct tensor x; /* [count, ...] */
    struct tensor y; /* labels: int64 [count]; else float [count, ...] */
    int64_t count;   /* at least 1 */
    int classes;     /* 0 where y is no labels */
    bool header;     /* the first line of the file held names and is no sample */
    void *memory[2]; /* what x and y lie in; NULL where it belongs to another data set */
    struct budget *budget;
};

/* `part` is what a SPEC that names none gets; data without parts have only a training part. On failure there is nothing
 * to release. */
bool dataset_open(struct dataset *out, const char *spec, enum part part, const struct data_options *options,
                  struct budget *b, struct report *r);
/* One of copies of tensors [N, ...] of real numbers. */
bool dataset_of_arrays(struct dataset *out, const struct tensor *x, const struct tensor *y,
                       const struct data_options *options, struct budget *b, struct report *r);
void dataset_release(struct dataset *d);

static inline bool dataset_has_labels(const struct dataset *d)
{
    return d->classes > 0;
}
/* Samples [from, to) of `d`, which must outlive the view; 0 <= from <= to <= count. */
struct dataset dataset_view(const struct dataset *d, int64_t from, int64_t to);
/* As Keras' validation_split: the last part validates, floor(count * (1 - fraction)) samples remain to train with. Both
 * are views. */
bool dataset_split(const struct dataset *d, double fraction, struct dataset *train, struct dataset *validation,
                   struct report *r);
/* A sample's shape: the dimensions of x but the first. */
struct tensor dataset_sample(const struct dataset *d);

#endif
