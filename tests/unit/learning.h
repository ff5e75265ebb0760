/* What tests of training share: options of one target, data sets of arrays that stay the caller's. */
#ifndef KILN_TESTS_LEARNING_H
#define KILN_TESTS_LEARNING_H

#include "train/fit.h"
#include "train/metrics/registry.h"

/* In the initialiser of a struct trainer_options: the members of struct target_options. */
#define TARGET(...)                                                                                                    \
    .targets = 1, .target = (const struct target_options[])                                                            \
    {                                                                                                                  \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* What a model of one target is measured by: the loss, then accuracy. */
enum { ALL_MEASURES = 2 };

/* One input and one target. */
struct two_columns {
    struct column x, y;
};

static inline struct dataset dataset_of(struct two_columns *c, const struct tensor *x, const struct tensor *y,
                                        int classes, struct budget *b)
{
    *c = (struct two_columns){ { .values = *x }, { .values = *y, .classes = classes } };
    return (struct dataset){ .x = &c->x, .y = &c->y, .inputs = 1, .targets = 1, .count = x->dims[0], .budget = b };
}

#endif
