/* A graph for other outputs than its own. */
#ifndef KILN_PLAN_OUTPUTS_H
#define KILN_PLAN_OUTPUTS_H

#include "graph/graph.h"

/* A clone (graph_clone) whose outputs are the values of these names, with the nodes and the inputs that they need. NULL
 * with an error where there is no such value. */
struct graph *graph_for_outputs(const struct graph *g, const char *const *names, size_t count, struct arena *arena,
                                struct report *r);

#endif
