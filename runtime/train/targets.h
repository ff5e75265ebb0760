/* The outputs that learn: which they are, what they are compared with, how that is weighed, and what is measured of
 * them. */
#ifndef KILN_TRAIN_TARGETS_H
#define KILN_TRAIN_TARGETS_H

#include "train/trainer.h"

/* Makes trainer->targets and ->result, of outputs that there are, each once. */
bool targets_find(struct trainer *t, const struct trainer_options *o, struct report *r);
/* When it is known what trains: their losses, labels, weights of classes and metrics, and the only batch size that the model
 * takes, if there is one. The first dimension of the trainer's inputs is UNKNOWN then. */
bool targets_choose(struct trainer *t, const struct trainer_options *o, struct report *r);

#endif
