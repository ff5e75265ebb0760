/* Gradients of sequences: a sequence of tensors like the sequence's own. */
#ifndef KILN_OPS_SEQUENCE_H
#define KILN_OPS_SEQUENCE_H

#include "ops/op.h"

/* The position of an item, counted from the start; -1 where there is none. */
int64_t sequence_position(const struct sequence *s, const struct tensor *position);

extern const struct op sequence_place; /* (sequence, position, g): zeros like its items, but g at the position */
extern const struct op sequence_item;  /* (sequence, like): the item of a fixed position, of the type of `like` */
extern const struct op sequence_add;   /* (a, b): item by item */

struct sequence_item {
    int64_t at;
};

#endif
