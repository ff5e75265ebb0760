/* Running statistics that follow slowly: what BatchNormalization is evaluated with lags behind what was learned, if there
 * were few steps. */
#ifndef KILN_TRAIN_LAG_H
#define KILN_TRAIN_LAG_H

#include "train/trainer.h"

struct lag {
    const struct node *layer; /* the slowest of those that begin, of the trainer's model; NULL: there is none */
    double momentum;
    int64_t steps; /* that the trainer had taken by then */
};

/* Before the first step. */
void lag_begin(struct lag *l, const struct trainer *t);
/* Warns where more than a tenth of what the statistics began with is left in them. */
void lag_tell(const struct lag *l, const struct trainer *t, struct report *r);

#endif
