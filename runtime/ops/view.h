/* Operators whose output is the input's bytes under another shape: Reshape, Flatten, Squeeze, Unsqueeze. They have no
 * run. */
#ifndef KILN_OPS_VIEW_H
#define KILN_OPS_VIEW_H

#include "ops/op.h"

/* Output 0 is input 0 as `dims`, which has as many elements. */
bool view_out(struct infer *i, int rank, const int64_t *dims);
/* The upstream gradient under the shape of input 0. */
bool view_gradient(struct backward *b);
/* Marks the axes in `axes`, each in [-rank, rank) and at most once, in a bit mask; false with an error. */
bool axes_mask(struct infer *i, const struct ints *axes, int rank, uint32_t *mask);

#endif
