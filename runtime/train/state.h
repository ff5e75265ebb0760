/* The values of parameters and statistics (struct state). */
#ifndef KILN_TRAIN_STATE_H
#define KILN_TRAIN_STATE_H

#include "train/trainer.h"

/* Memory of the trainer's, zeroed, or with a copy of `content`. */
bool state_tensor(struct trainer *t, struct tensor *out, const struct tensor *like, const void *content,
                  struct report *r);
/* The messages of the initializers of the trainer's model, by name; released with map_release. */
bool states_index(struct trainer *t, struct map *messages, struct report *r);
/* Gives s->parameter its value: a copy in float where the file's type is float16 or bfloat16; the memory of its
 * initializer's message, where that holds the numbers as they are computed with, so that what is learned stands in the
 * trainer's model at once; else a copy. */
bool state_take(struct trainer *t, const struct map *messages, struct state *s, struct report *r);
/* From which magnitude on its value would be infinite in the type of its file; infinite where it is kept in that. */
double state_limit(const struct state *s);
/* Is `now`, as which element k is to be saved, infinite, or no number, and was it not when the trainer was made? */
bool state_has_become_infinite(const struct state *s, int64_t k, double now);

#endif
