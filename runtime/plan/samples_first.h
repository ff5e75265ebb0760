/* Inputs whose samples are not in their first dimension, as a state [layers, batch, units] (plan/open_sizes.h). Data have a
 * sample after the other: such an input is given with the samples first, and turned in the graph to what the file has. */
#ifndef KILN_PLAN_SAMPLES_FIRST_H
#define KILN_PLAN_SAMPLES_FIRST_H

#include "graph/graph.h"

/* Of input k: its type `t`, as the file has it, with the samples first; and back. */
struct tensor samples_first(const struct graph *g, size_t k, const struct tensor *t);
struct tensor samples_in_place(const struct graph *g, size_t k, const struct tensor *t);
/* What is given of input k, samples first, as `t` is, where the file has it. */
void samples_put_in_place(const struct graph *g, size_t k, const struct tensor *t, void *to);
/* All inputs of `g`, which is a clone of `file`, become such. */
bool samples_come_first(struct graph *g, const struct graph *file, struct report *r);

#endif
