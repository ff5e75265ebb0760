/* A step of training as a file that other runtimes run: made of a trainer, with the values that it has now. */
#ifndef KILN_TRAIN_STEP_FILE_H
#define KILN_TRAIN_STEP_FILE_H

#include "train/trainer.h"

/* What each input that lasts from step to step becomes: metadata "next:INPUT" is the name of an output. */
#define STEP_NEXT "next:"

/* A model of the standard's operators alone, for `batch` samples: its inputs are those of the model, labels ("labels", or
 * "OUTPUT.labels" where several outputs learn), and with defaults each parameter and statistic by its name, each slot as
 * "PARAMETER.SLOT", "learning_rate", "step" and "seed"; its outputs "loss" and what all of that is after the step. Not built.
 * NULL with an error, which names what cannot be written so. */
struct model *trainer_step_model(struct trainer *t, int64_t batch, struct report *r);
/* The model with what was learned and a training_info, whose algorithm is the same step, for any number of samples, with the
 * standard's Gradient. */
struct model *trainer_described(struct trainer *t, struct report *r);

#endif
