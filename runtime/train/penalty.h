/* What regularisers are asked of: the penalties that are added to the loss. */
#ifndef KILN_TRAIN_PENALTY_H
#define KILN_TRAIN_PENALTY_H

#include "train/trainer.h"

/* Notes in the trainer what options.regularizers match, each pattern something: parameters that train, or values that
 * the model makes of its inputs. Of a parameter that none of them names, what the file says (DECIDED_PENALTY). */
bool penalties_find(struct trainer *t, const struct trainer_options *o, struct report *r);
/* Emits them into a copy of the model's graph, in which `state` are the trainer's states: their sum, float; NULL where
 * there are none. */
struct value *penalties_emit(struct emitter *e, const struct trainer *t, struct value *const *state);

#endif
