/* Makes a model trainable again whose BatchNormalization an exporter has lowered or folded (Keras on TensorFlow does
 * both):
 *
 *   Mul by a, Add of b, per channel   ->  BatchNormalization, gamma = a sqrt(v + eps), beta = b + m a, mean = m,
 *                                         variance = v
 *   Conv with folded W', b'           ->  Conv with W' alone, BatchNormalization, gamma = sqrt(v + eps),
 *                                         beta = b' + m, ...
 *
 * What was never trained has left a factor near 1 / sqrt(1 + eps) alone, or a convolution without a bias, where the name
 * tells of it; it gets mean 0 and variance 1, as it had.
 *
 * m and v are the mean and variance at that place over calibration data, so that the model computes in inference what
 * it did, and its statistics are what training would have kept. What cannot be known is told as warnings: "cannot
 * recover: ...". */
#ifndef KILN_TRAIN_RECOVER_H
#define KILN_TRAIN_RECOVER_H

#include "train/calibrate.h"

enum fold_choice {
    FOLDED_BY_NAME, /* convolutions whose bias is named as exporters name folded ones */
    FOLDED_ALL,     /* every convolution with a bias */
    FOLDED_NONE
};

struct recover_options {
    float epsilon, momentum; /* of the original layers: a file does not tell */
    enum fold_choice folded;
};
#define RECOVER_OPTIONS_INIT                                                                                           \
    {                                                                                                                  \
        .epsilon = 1e-3f, .momentum = .99f, .folded = FOLDED_BY_NAME                                                   \
    }

struct recovered {
    size_t pairs;  /* Mul and Add that became BatchNormalization */
    size_t folded; /* convolutions that were unfolded */
    size_t fresh;  /* of both, those that were never trained: mean 0 and variance 1 in place of measured ones */
    struct comparison outputs; /* before and after */
};

/* `m` must be built; the result is, too. NULL with an error; one that is there is nothing to recover is no error. */
struct model *model_recover(const struct model *m, const struct calibration *c, const struct recover_options *o,
                            struct recovered *out, struct report *r);

#endif
