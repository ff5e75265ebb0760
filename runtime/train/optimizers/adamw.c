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
    .settings_size = sizeof(struct adam),
    .slots = { [ADAM_MOMENTUM] = { .name = "momentum" },
               [ADAM_VELOCITY] = { .name = "velocity" },
               [ADAM_VELOCITY_HAT] = { .name = "velocity_hat", .needed_by = "amsgrad" } },
    .rate = adam_rate,
    .apply = adam_apply,
    .apply_double = adam_apply_double,
};
