/* Adam whose parameters decay by themselves, which all optimisers can be asked for; here they do if nothing is said. */
#include "train/optimizers/adam.h"

const struct optimizer_def optimizer_adamw = {
    .row = { "adamw", "Adam with decoupled decay (Loshchilov and Hutter, arXiv:1711.05101)",
             (const struct spec_option[]){ LEARNING_RATE(struct adam, .001),
                                           { SPEC_FIELD(struct adam, weight_decay),
                                             "how much decays, times learning_rate", .high = 1e30, .fallback = .004 },
                                           ADAM_OPTIONS,
                                           { 0 } } },
    .title = "AdamW",
    ADAM_DEFINITION,
};
