/* What a trained model is to know of its training. */
#ifndef KILN_TRAIN_REMEMBER_H
#define KILN_TRAIN_REMEMBER_H

#include "train/trainer.h"

/* Writes losses that were asked for, and those that read logits, into the metadata of the trainer's model (decided.h). */
bool losses_remember(struct trainer *t, const struct trainer_options *o, struct report *r);

#endif
