/* The loss of each output that learns, for the metadata. */
#ifndef KILN_ADAPT_LOSS_H
#define KILN_ADAPT_LOSS_H

#include "adapt/step.h"

/* Of output k, which has that type: *loss is what is to be written down, of the arena; NULL where nothing is. Tells what was
 * decided and why, and of the caller's labels where they do not fit. False with an error. */
bool loss_decide(struct adapt *a, size_t k, const struct tensor *type, const char **loss);

#endif
