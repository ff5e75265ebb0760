/* Samples for a proof where the caller has none. */
#ifndef KILN_ADAPT_RANDOM_H
#define KILN_ADAPT_RANDOM_H

#include "data/dataset.h"
#include "model/model.h"

/* A few random samples for each of the model's inputs: dimensions that are open are 1, or what one plan of the model
 * takes. False with an error where an input is no tensor of numbers. The data set is released by its user. */
bool random_samples(struct dataset *out, const struct model *m, struct budget *budget, struct report *r);

#endif
