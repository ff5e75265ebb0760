/* What Adam and AdamW share: everything but the decay that AdamW has where nothing is said. And the options of all that
 * keep two means, as Adam does. */
#ifndef KILN_TRAIN_OPTIMIZERS_ADAM_H
#define KILN_TRAIN_OPTIMIZERS_ADAM_H

#include "train/optimizer.h"

/* Of settings with beta_1, beta_2 and epsilon; `second` is what beta_2 is of. */
#define MEAN_OPTIONS(type, second)                                                                                     \
    { SPEC_FIELD(type, beta_1), "how much of the mean of the gradients stays", SPEC_BELOW, .high = 1,                  \
      .fallback = .9 },                                                                                                \
        { SPEC_FIELD(type, beta_2), "how much of " second " stays", SPEC_BELOW, .high = 1, .fallback = .999 },         \
    {                                                                                                                  \
        SPEC_FIELD(type, epsilon), "keeps the quotient finite", .high = 1e30, .fallback = 1e-7                         \
    }
#define MEAN_OF_SQUARES "the mean of their squares"

/* The settings of those that have no others. */
struct means {
    double learning_rate, beta_1, beta_2, epsilon;
};

struct adam {
    double learning_rate, beta_1, beta_2, epsilon, weight_decay;
    bool amsgrad;
};

/* The options, but for the first one. */
#define ADAM_OPTIONS                                                                                                   \
    MEAN_OPTIONS(struct adam, MEAN_OF_SQUARES),                                                                        \
    {                                                                                                                  \
        SPEC_FIELD(struct adam, amsgrad), "divide by the largest mean square so far", SPEC_FLAG                        \
    }

enum { ADAM_MOMENTUM, ADAM_VELOCITY, ADAM_VELOCITY_HAT }; /* slots */

float adam_rate(const void *settings, float learning_rate, int64_t step);
bool adam_apply(const struct update *u);
const char *adam_spelled(const void *settings);
bool adam_apply_double(const struct update_double *u);

/* The definition behind its name and options. */
#define ADAM_DEFINITION                                                                                                \
    .settings_size = sizeof(struct adam),                                                                              \
    .slots = { [ADAM_MOMENTUM] = { .name = "momentum" },                                                               \
               [ADAM_VELOCITY] = { .name = "velocity" },                                                               \
               [ADAM_VELOCITY_HAT] = { .name = "velocity_hat", .needed_by = "amsgrad" } },                             \
    .rate = adam_rate, .apply = adam_apply, .apply_double = adam_apply_double, .spelled = adam_spelled

#endif
