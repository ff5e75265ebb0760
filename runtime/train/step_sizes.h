/* Sizes of a step of training that only running tells: its forward part is run as far as they need it, in training form and with the
 * weights as they are (run/sizes.h). The step itself, forward and backward, is made for what that tells. */
#ifndef KILN_TRAIN_STEP_SIZES_H
#define KILN_TRAIN_STEP_SIZES_H

#include "train/training_program.h"

struct step_batch {
    int64_t samples;
    const struct tensor *x, *y; /* as trainer_step has them; NULL: types alone are known */
    struct tensor weights;      /* of the samples */
};

struct step_sizes;

struct step_sizes *step_sizes_new(struct trainer *t, struct report *r);
void step_sizes_free(struct step_sizes *s);
/* What is found of the batch, as if every input were 1 where types alone are known. It holds until the next call. `seen`: that has
 * been asked for just now, and nothing is made for it yet (sizes_settle). NULL with an error. */
const struct found *step_sizes_find(struct step_sizes *s, const struct step_batch *b, bool seen, struct report *r);
/* The types of all values of a step before its gradients, by id, as if every input were 1: UNKNOWN dimensions are those that only
 * running tells. In `arena`. NULL with an error. */
struct tensor *step_sizes_types(struct step_sizes *s, int64_t samples, struct arena *arena, struct report *r);
/* How many values that graph had. */
size_t step_sizes_values(const struct step_sizes *s);

#endif
