/* What Adam and AdamW share: everything but the decay that AdamW has where nothing is said. */
#ifndef KILN_TRAIN_OPTIMIZERS_ADAM_H
#define KILN_TRAIN_OPTIMIZERS_ADAM_H

#include "train/optimizer.h"

struct adam {
    double learning_rate, beta_1, beta_2, epsilon, weight_decay;
    bool amsgrad;
};

/* The options, but for the first one. */
#define ADAM_OPTIONS                                                                                                   \
    { SPEC_FIELD(struct adam, beta_1), "how much of the mean of the gradients stays", SPEC_BELOW, .high = 1,           \
      .fallback = .9 },                                                                                                \
        { SPEC_FIELD(struct adam, beta_2), "how much of the mean of their squares stays", SPEC_BELOW, .high = 1,       \
          .fallback = .999 },                                                                                          \
        { SPEC_FIELD(struct adam, epsilon), "keeps the quotient finite", .high = 1e30, .fallback = 1e-7 },             \
    {                                                                                                                  \
        SPEC_FIELD(struct adam, amsgrad), "divide by the largest mean square so far", SPEC_FLAG                        \
    }

enum { ADAM_MOMENTUM, ADAM_VELOCITY, ADAM_VELOCITY_HAT }; /* slots */

float adam_rate(const void *settings, float learning_rate, int64_t step);
bool adam_apply(const struct update *u);
bool adam_apply_double(const struct update_double *u);

#endif
