/* Means and variances of activations over a data set: what running statistics would be, had they been kept. */
#ifndef KILN_TRAIN_CALIBRATE_H
#define KILN_TRAIN_CALIBRATE_H

#include "data/batch.h"
#include "model/model.h"

struct moments {
    const struct value *at;  /* of the model's graph; a type of float */
    int axis;                /* of the channels */
    int64_t channels;        /* out; below too */
    int64_t count;           /* values of each channel */
    double *mean, *variance; /* population; memory of the arena */
};

struct calibration {
    const struct dataset *data;
    const struct normalizer *normalizer; /* may be NULL */
    int64_t batch;                       /* 0: 64 */
    int threads;
    struct budget limits; /* what may be used beside the models, and the time of a batch; `used` is not looked at */
};

/* Runs the model over the data, in inference, and fills in the moments of each place. */
bool calibrate(const struct model *m, const struct calibration *c, struct moments *places, size_t count,
               struct arena *arena, struct report *r);

/* What PyTorch's update_bn makes of running statistics (torch.optim.swa_utils, momentum None): the mean, over the batches,
 * of each batch's own moments. The model runs in its training form: Dropout drops, and BatchNormalization that is in
 * training form takes the batch's statistics, so that later layers see what earlier ones make of it. Two things differ:
 * the variance is the population's, as ONNX has it, where PyTorch keeps batch's values * n / (n - 1); and a batch that has
 * one value for a channel, which PyTorch refuses, is left out. */
bool calibrate_batches(const struct model *m, const struct calibration *c, struct moments *places, size_t count,
                       struct arena *arena, struct report *r);

/* What two models with the same inputs and outputs make of the data. */
struct comparison {
    double difference;  /* of floats: the largest, in units of the larger of 1 and the tensor's largest value */
    int64_t floats;     /* values that this was taken over */
    int64_t not_finite; /* of them, in the first model: such a value that stays is no difference, and shows nothing */
    int64_t others, unlike; /* values of other types (integers, bools, strings), and those of them that are not equal */
};
bool compare_models(const struct model *a, const struct model *b, const struct calibration *c, struct comparison *out,
                    struct report *r);
/* The first node of `a` that makes something else than the one of `b` whose output has the same name, of the first batch;
 * NULL where none does, or that cannot be told. */
const struct node *compare_nodes(const struct model *a, const struct model *b, const struct calibration *c,
                                 double tolerance, struct arena *arena, struct report *r);

/* The types, without data, of what the first batch makes of these values. */
bool observe(const struct model *m, const struct calibration *c, const struct value *const *at, size_t count,
             struct tensor *types, struct report *r);

/* Types of all values for one sample, and the content of those that planning knows; `x`: [inputs] as plan_samples has
 * them; freed with program_free. */
struct program;
struct program *plan_sample(const struct model *m, const struct tensor *x, struct budget *b, struct report *r);

/* x[k] is the type of input k as the data have it, but for its samples (plan/open_sizes.h), which are left as the model
 * has them. An input that has none has a row, all that it reads, for each sample, and a batch takes that
 * of its first. *most: how many can be taken at a time. */
bool calibration_types(struct tensor *x, const struct graph *g, const struct dataset *d, struct arena *a, int64_t *most,
                       struct report *r);

#endif
