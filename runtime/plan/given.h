/* What planning is given: the types of all that comes to a graph from outside. */
#ifndef KILN_PLAN_GIVEN_H
#define KILN_PLAN_GIVEN_H

#include "graph/graph.h"

/* By value id, in `a`: initializers as they are; of all others, which the caller fills in or nodes make, nothing (rank
 * UNKNOWN). NULL with an error. */
struct tensor *given_types(const struct graph *g, struct arena *a, struct report *r);

/* The type with `open` for every dimension that is not told. */
struct tensor given_closed(const struct tensor *type, int64_t open);

/* Values that a subgraph captures have the types that those around it have, by the ids of `types`. `content`, by value
 * id of the subgraph: what is in them is known, and the same in every run. */
void given_captures(const struct graph *sub, const struct tensor *types, struct tensor *given, bool *content);

#endif
