/* The running statistics of BatchNormalization that was left in training form, as PyTorch's update_bn measures them. */
#ifndef KILN_ADAPT_MEASURED_STATISTICS_H
#define KILN_ADAPT_MEASURED_STATISTICS_H

#include "adapt/facts.h"
#include "adapt/step.h"

bool is_in_training_form(const struct node *n); /* a BatchNormalization */

/* Puts those in training form of which the caller says "measured"; *any: there are some. */
bool measure_anew(struct adapt *a, bool *any);
/* Puts all of the model's in inference form. `f` is of the model as far as it has come; the caller has data. */
bool measure_statistics(struct adapt *a, const struct facts *f);

#endif
