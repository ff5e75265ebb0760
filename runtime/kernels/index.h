/* Indices in row-major order. */
#ifndef KILN_KERNELS_INDEX_H
#define KILN_KERNELS_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/* The next one; false after the last. Start with all 0. */
static inline bool next_index(int rank, const int64_t *size, int64_t *at)
{
    for (int d = rank - 1; d >= 0; d--) {
        if (++at[d] < size[d])
            return true;
        at[d] = 0;
    }
    return false;
}

/* Number k; no size is 0. */
static inline void index_at(int rank, const int64_t *size, int64_t k, int64_t *at)
{
    for (int d = rank - 1; d >= 0; k /= size[d], d--)
        at[d] = k % size[d];
}

#endif
