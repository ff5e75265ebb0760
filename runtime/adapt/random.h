/* Samples for a proof where the caller has none. */
#ifndef KILN_ADAPT_RANDOM_H
#define KILN_ADAPT_RANDOM_H

#include "data/dataset.h"
#include "model/model.h"

/* A few random samples for each of the model's inputs; sizes that these leave open are such that the network can be
 * planned. False with an error where an input is no tensor of numbers, or no size was found. The data set is released by
 * its user. */
bool random_samples(struct dataset *out, const struct model *m, struct budget *budget, struct report *r);

#endif
