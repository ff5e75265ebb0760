/* A graph as a picture, for Graphviz (https://graphviz.org/doc/info/lang.html). */
#ifndef KILN_PLAN_DOT_H
#define KILN_PLAN_DOT_H

#include "base/text.h"
#include "graph/graph.h"

/* Nodes are boxes, the graph's inputs and outputs are ellipses, subgraphs are frames; initializers and constants are
 * left out. `label` tells what is written at the lines that carry a value, and may be NULL or give NULL. */
void dot_write(struct text *out, const struct graph *g, const char *(*label)(void *user, const struct value *v),
               void *user);

#endif
