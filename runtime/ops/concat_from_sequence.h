/* Sequences of tensors and the tensor that they are put together to: ConcatFromSequence, and the gradient of
 * SplitToSequence. */
#ifndef KILN_OPS_CONCAT_FROM_SEQUENCE_H
#define KILN_OPS_CONCAT_FROM_SEQUENCE_H

#include "ops/concat.h"

/* What an item is in the whole: itself, or with a new dimension of 1. */
struct tensor item_in_whole(const struct tensor *item, int axis, bool new_axis);
/* Its items, which have gradients, put together along an axis of the whole to what has the type of `like`. */
struct value *emit_joined(struct emitter *e, struct value *sequence, int axis, bool new_axis,
                          const struct tensor *like);

#endif
