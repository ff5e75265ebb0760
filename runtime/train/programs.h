/* The programs that a trainer has made of a step: one for each batch size, and for the sizes that only running tells. */
#ifndef KILN_TRAIN_PROGRAMS_H
#define KILN_TRAIN_PROGRAMS_H

#include "train/step_sizes.h"

/* The one for a batch, which stays until others are asked for; *found: what only running tells of it, NULL where that is nothing. Of
 * a batch whose types alone are known that is as if every input were 1. NULL with an error. */
struct training_program *program_for(struct trainer *t, const struct step_batch *batch, const struct found **found,
                                     struct report *r);

#endif
