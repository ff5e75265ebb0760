/* What the crossentropies share. */
#ifndef KILN_TRAIN_LOSSES_CROSSENTROPY_H
#define KILN_TRAIN_LOSSES_CROSSENTROPY_H

#include "train/loss.h"

struct crossentropy {
    bool from_logits;
    double label_smoothing;
};

#define LABEL_SMOOTHING(type)                                                                                          \
    {                                                                                                                  \
        SPEC_FIELD(type, label_smoothing), "how much of a label goes to all classes alike", .high = 1                  \
    }

/* The label of output j with the part `smoothing` of it spread over `of` classes. */
static inline double smooth_target(const struct output_row *r, int64_t j, double smoothing, double of)
{
    return row_target(r, j) * (1 - smoothing) + smoothing / of;
}

/* Probabilities are clipped to [1e-7, 1 - 1e-7]. Was it outside? */
bool clip_probability(double *q);

/* -log q and its derivative of one probability with the label t, of a logit z or of the probability z itself. */
double binary_crossentropy_of(double z, double t, bool logits, double *slope);

/* What softmax divides by: of a row of logits the largest, and the sum of exp(x - largest). */
struct softmax_sum {
    double top, sum;
};
struct softmax_sum softmax_sum_of(const struct output_row *row);

/* -(sum of t log q) of a row, q the softmax of logits, or probabilities that are renormalised and clipped. */
double categorical_rows(const struct loss_row *r, double smoothing);
/* Why the output is taken for a distribution over classes; NULL: it is not. */
const char *categorical_guess(const struct loss_clues *c);

#endif
