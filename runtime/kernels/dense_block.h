/* Products of blocks that lie in a core's cache, on one thread, with no more planning than that: what attention.c cuts
 * its work into. Floats by tiles (tile.h), doubles plainly; sums are in the order of the depth. */
#ifndef KILN_KERNELS_DENSE_BLOCK_H
#define KILN_KERNELS_DENSE_BLOCK_H

#include "kernels/kernels.h"

/* C [rows, columns] of A and B, whose rows are contiguous and so many elements apart. */
struct block {
    enum dtype dtype; /* F32 or F64 */
    int64_t rows, columns, depth;
    const void *a, *b;
    void *c;
    int64_t a_row, b_row, c_row;
    bool add; /* to what is in C */
};

void block_product(const struct kernels *k, const struct block *p); /* A [rows, depth] times B [depth, columns] */
/* A transposed: A is [depth, rows]. */
void block_of_columns(const struct kernels *k, const struct block *p);
/* B transposed: B is [columns, depth]. `panel` is memory for as many elements as B has. */
void block_of_rows(const struct kernels *k, const struct block *p, void *panel);

#endif
