/* What the operators of sequences share, and the gradients of sequences: sequences of tensors like the sequence's own. */
#ifndef KILN_OPS_SEQUENCE_H
#define KILN_OPS_SEQUENCE_H

#include "ops/op.h"

/* -- plan -- */

/* Of more items than these only running tells the types. */
enum { MOST_PLANNED = 1 << 14 };

/* Room for the types of so many items; NULL with an error. */
struct sequence *sequence_types(struct infer *i, int64_t count);
/* Output k is a sequence of tensors of such elements; `items` are their types, NULL where only running tells. */
void sequence_out(struct infer *i, int k, enum dtype dtype, const struct sequence *items);
/* Is input k, a position in a sequence, one number, or left out? */
bool position_fits(struct infer *i, int k);
/* Is the position known while planning? It is where it is left out. */
bool position_known(struct infer *i, int k);

/* -- run -- */

/* A position that is at least -count and below `end`, counted from the start; -1 where it is not. */
int64_t position_in(const struct tensor *position, int64_t count, int64_t end);
/* The position of an item; the last one where `position` is NULL. -1 where there is none. */
int64_t sequence_position(const struct sequence *s, const struct tensor *position);
/* The error of one that is not in [least, most]. */
bool position_error(struct step *s, const struct tensor *position, int64_t least, int64_t most);

/* Output k becomes a sequence of so many items, which are to be filled; NULL with an error. */
struct sequence *sequence_new(struct step *s, int k, int64_t count);
/* A tensor for an item, its data on the heap of the run, to be filled. */
bool item_new(struct step *s, struct tensor *item, enum dtype dtype, int rank, const int64_t *dims);

/* -- differentiate -- */

extern const struct op sequence_place; /* (sequence, position, g): zeros like its items, but g at the position */
extern const struct op sequence_item;  /* (sequence, like, position): the item there, of the type of `like`; the
                                        * position is that of the attributes, struct sequence_item, where it is left
                                        * out */
extern const struct op sequence_gap; /* (sequence, position, g): the items of g, zeros like the item of the sequence at
                                        * the position put among them */
extern const struct op sequence_add; /* (a, b): item by item */

struct sequence_item {
    int64_t at; /* -1: the last one */
};

#endif
