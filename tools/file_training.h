/* A training as the model's file says it (training_info), in place of a loss and an optimiser that options name. */
#ifndef KILN_TOOLS_FILE_TRAINING_H
#define KILN_TOOLS_FILE_TRAINING_H

#include "training.h"

/* Does the file say how it is trained, and do the options not? */
bool file_trains_itself(const kiln_model *m, const struct train_options *o);
/* Opens the data, trains the model that `l` has and writes it; what was learned is kept where that fails or a signal ends
 * it, which *signal then is. */
bool file_training_run(const struct train_options *o, struct learn *l, int *signal);

#endif
