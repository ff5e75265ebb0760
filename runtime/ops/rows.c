#include "ops/rows.h"
#include "ops/conv.h"

bool rows_aligned(const struct node *n, const struct tensor *const *types, const bool *rows, int first, int rank)
{
    for (int k = first; k < n->inputs + n->captured; k++) {
        const struct tensor *t = n->in[k] ? types[k] : NULL;

        if (t && (rows[k] ? t->rank != rank : t->rank > rank || (t->rank == rank && t->dims[0] != 1)))
            return false;
    }
    return true;
}

bool rows_of_first(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    (void)types;
    for (int k = 1; k < n->inputs + n->captured; k++)
        if (!row_whole(n, rows, k))
            return false;
    return rows[0];
}

bool rows_of_elements(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    int rank = 0;

    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && types[k]->rank > rank)
            rank = types[k]->rank;
    return rows_aligned(n, types, rows, 0, rank);
}

bool rows_of_convolution(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    return rows[0] && row_whole(n, rows, 1) && row_whole(n, rows, 2) &&
           rows_aligned(n, types, rows, CONV_RESIDUAL, types[0]->rank);
}
