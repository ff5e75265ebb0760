/* The library's random numbers (base/random.h) in operators of the standard, of integers alone. */
#ifndef KILN_OPS_RANDOM_SPELLED_H
#define KILN_OPS_RANDOM_SPELLED_H

#include "ops/op.h"

/* What a node of that number draws in step e->step with e->seed: for each element of `like`, a vector, a whole number below 2^24,
 * of which uniform numbers are the part of that (random_uniform). */
struct value *emit_uniform_bits(struct emitter *e, int stream, struct value *like);

#endif
