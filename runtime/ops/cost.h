/* What a node has to do, told by its shapes (of a loop, also by what is known of its inputs): for a profile that says
 * how near to the machine's peak it came, and to refuse what cannot end. */
#ifndef KILN_OPS_COST_H
#define KILN_OPS_COST_H

#include "ops/op.h"

/* `in` and `out` as in a step, with types; NULL where left out. */
struct cost cost_of(const struct node *n, const struct tensor *const *in, struct tensor *const *out);

/* For op.h's `cost`. NULL has none. */
double cost_count(const struct tensor *t);
double cost_bytes(const struct tensor *t);
/* Of operators that look at as much of their first input as they write. */
void cost_of_picking(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c);

#endif
