/* Batches: samples in this epoch's order, in the shape and type that the model's inputs have.
 *
 * A sample is reshaped where the model wants the same with dimensions of 1 added or left out, or flat; an image is
 * turned from [C,H,W] to [H,W,C] or back where only that makes it fit, also one that is to be predicted. Nothing else is
 * guessed. Labels are given as
 * class indices where the model wants integers, as one-hot rows where it wants floats, as numbers where it wants one
 * float for each sample. */
#ifndef KILN_DATA_BATCH_H
#define KILN_DATA_BATCH_H

#include "base/pool.h"
#include "data/augment.h"
#include "data/normalizer.h"
#include "data/window.h"

enum turn { TURN_NONE, TURN_TO_LAST, TURN_TO_FIRST }; /* where the channels of an image go */
enum target_form { TARGET_NONE, TARGET_INDEX, TARGET_NUMBER, TARGET_ONE_HOT, TARGET_VALUES };

struct batch_options {
    int64_t batch; /* samples at a time, at least 1; the last batch of an epoch is smaller where it does not come out
                      even */
    bool shuffle;
    uint64_t seed;
    const struct augmentation *augmentation; /* of the images that are the only input; NULL: they stay as they are */
    struct pool *pool;                       /* that shares them out; NULL: the caller does all */
    struct budget *reading; /* what is read of a stream is charged to it; NULL: to that of the batches */
};

/* What a batch has for one input, or of what is to be predicted. */
struct batch_column {
    const struct column *from;
    const struct scaling *scaling; /* NULL: stays as it is */
    struct tensor type;            /* of a batch; all known */
    enum turn turn;                /* of an image */
    enum target_form form;         /* of what is to be predicted */
    int classes;                   /* labels must be below; 0: any */
    bool ignores;                  /* but for this one: */
    int64_t ignored;
    bool probabilities;         /* values must be */
    int class_axis;             /* that one-hot rows are in; 0: the last */
    int64_t features, channels; /* of a sample; channels where it is turned */
    struct image image;         /* of a sample that is augmented */
    float *sample, *raw;        /* one for each thread, while it is turned or converted, and before it is augmented */
};

struct batches {
    const struct dataset *data;
    struct batch_options options;
    struct batch_column *x, *y; /* [inputs] and [targets] that were asked for */
    size_t inputs, targets;
    int64_t *order;        /* this epoch's; NULL without shuffling, and for a stream, which has */
    struct window *window; /* instead; its rows are `data` then */
    int64_t at; /* the next sample of the epoch; may be set after batches_start: those before it are left out */
    uint64_t epoch;
    struct arena memory;
};

/* What batches are for: the model's inputs and what is to be predicted, with their types. */
struct batch_request {
    size_t inputs, targets;
    const struct column_request *input, *target;
};

/* Can samples of this shape, the dimensions behind the first, be made what the input `wanted` takes? NULL, or one of an
 * unknown rank, takes all. */
bool batches_take(const struct tensor *wanted, const struct tensor *data, struct report *r);
/* The first dimension of the types asked for is ignored, others may be UNKNOWN and are then the data's. What they come
 * to is in x[k].type and y[k].type. The data set, the normaliser, which may be NULL, and the names must outlive it.
 * Where there are several inputs, those that are no float are not normalised. */
bool batches_init(struct batches *b, const struct dataset *data, const struct normalizer *normalizer,
                  const struct batch_request *request, const struct batch_options *options, struct budget *budget,
                  struct report *r);
/* What is done to a column of inputs, in the order of the model's input, whichever that of the file is; one that is
 * normalised. */
bool batch_scaling(struct scaling *out, const struct batch_column *c, struct arena *a, struct report *r);
void batches_release(struct batches *b);
/* The order depends on the seed and the epoch alone, that of a stream on its window, too. */
void batches_start(struct batches *b, uint64_t epoch);
/* How many the next batch has, 0 at the end of the epoch; of a stream only batches_next tells. */
int64_t batches_next_count(const struct batches *b);
/* Looks at all that is to be predicted, before anything is made of it; of a stream, which would have to be read, at
 * nothing. */
bool batches_check(const struct batches *b, struct report *r);
/* Writes the next batch: x[k] and y[k] are where column k goes, with room for options.batch samples. *count is 0 at the
 * end of the epoch. */
bool batches_next(struct batches *b, void *const *x, void *const *y, int64_t *count, struct report *r);
/* Writes the `n` samples that `indices` names, in that order; not of a stream. */
bool batches_fill(struct batches *b, const int64_t *indices, int64_t n, void *const *x, void *const *y,
                  struct report *r);

#endif
