/* What the crossentropies share. */
#ifndef KILN_TRAIN_LOSSES_CROSSENTROPY_H
#define KILN_TRAIN_LOSSES_CROSSENTROPY_H

#include "train/loss.h"

struct crossentropy {
    bool from_logits;
};

/* Probabilities are clipped to [1e-7, 1 - 1e-7]. Was it outside? */
bool clip_probability(double *q);

/* -(sum of t log q) of a row, q the softmax of logits, or probabilities that are renormalised and clipped. */
double categorical_rows(const struct loss_row *r);
/* Why the output is taken for a distribution over classes; NULL: it is not. */
const char *categorical_guess(const struct loss_clues *c);

#endif
