/* Sizes that only running tells, where there are no data yet: as if every input were 1. */
#ifndef KILN_TRAIN_AS_ONES_H
#define KILN_TRAIN_AS_ONES_H

#include "run/engine.h"

/* A value of x's type, of which all is known, in `a`: ones, strings empty. */
bool as_ones(struct tensor *x, struct arena *a, struct report *r);
/* The types of all values of a model's graph, by id, for one sample of types `x`, as plan_samples has them: UNKNOWN dimensions are those
 * that only running tells. In `arena`. NULL with an error. */
struct tensor *as_ones_types(struct engine *e, const struct graph *g, const struct tensor *x, struct arena *arena,
                             struct report *r);

#endif
