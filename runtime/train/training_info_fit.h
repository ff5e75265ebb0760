/* Epochs of steps as a file's training_info says them. */
#ifndef KILN_TRAIN_TRAINING_INFO_FIT_H
#define KILN_TRAIN_TRAINING_INFO_FIT_H

#include "train/fit.h"
#include "train/training_info.h"

/* Trains on `data`: its inputs are for the main graph's inputs, what is to be predicted is for those of the algorithms. Of
 * `o` the batch, the epochs, their steps, the order and its seed count. What events call measures are the results, the
 * first one is the loss; NaN for those that are no single number. The normaliser may be NULL. *ran is how many epochs lie
 * behind. */
bool training_info_fit(struct training_info *t, const struct dataset *data, const struct normalizer *normalizer,
                       const struct fit_options *o, const struct fit_events *events, int64_t *ran, struct report *r);

#endif
