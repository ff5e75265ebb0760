/* Which learning rate? A pass in which it rises from step to step, as in Smith, arXiv:1506.01186. Nothing is kept of it. */
#ifndef KILN_TOOLS_FINDER_H
#define KILN_TOOLS_FINDER_H

#include "training.h"

/* Tells the loss by the rate, and suggests one; draws it where there is a figure. `l` has been opened, and is spent
 * afterwards. False with an error. */
bool finder_run(const struct train_options *o, struct learn *l);

#endif
