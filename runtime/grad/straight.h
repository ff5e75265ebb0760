/* Straight-through gradients: through values that are integers, or floats of 8 bits and less, because they are quantised.
 *
 * QuantizeLinear is constant in pieces. It is differentiated as if it did not round: so a network learns that is computed
 * as the quantised one will be (Bengio and others, arXiv:1308.3432; Jacob and others, arXiv:1712.05877; PyTorch's
 * fake_quantize). What flows through such values is of float, whatever they are. */
#ifndef KILN_GRAD_STRAIGHT_H
#define KILN_GRAD_STRAIGHT_H

#include "ops/op.h"

/* By value id: what QuantizeLinear makes, and what is made of that, as long as it is no float that is computed with. So
 * values of `types`, or as far as they are known where that is NULL. NULL with an error. */
bool *straight_find(const struct graph *g, const struct tensor *types, struct arena *arena, struct report *r);
/* What the node reads of them though its rule, made for floats, cannot give it a gradient; or makes of them in a subgraph,
 * into which that cannot go. NULL: nothing. */
const struct value *straight_stop(const struct node *n, const bool *straight);

#endif
