/* Rules of op.h's batch_independent: which operators treat each row, that is index of the first dimension, by itself. */
#ifndef KILN_OPS_ROWS_H
#define KILN_OPS_ROWS_H

#include "ops/op.h"

/* Does input k, which may be left out, belong to no row, so that it is whole for each of them? */
static inline bool row_whole(const struct node *n, const bool *rows, int k)
{
    return k >= n->inputs + n->captured || !n->in[k] || !rows[k];
}

/* From input `first` on all are broadcast as by Add to `rank` dimensions: what has rows has them there. */
bool rows_aligned(const struct node *n, const struct tensor *const *types, const bool *rows, int first, int rank);

/* Of the first input alone; all others are whole. */
bool rows_of_first(const struct node *n, const struct tensor *const *types, const bool *rows);
/* Elementwise. */
bool rows_of_elements(const struct node *n, const struct tensor *const *types, const bool *rows);
/* Of images and weights, with what is added to the result behind them. */
bool rows_of_convolution(const struct node *n, const struct tensor *const *types, const bool *rows);

#endif
