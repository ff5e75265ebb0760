/* Packing and storing for implicit GEMM, by element type: float by the kernel table, the others by plain loops
 * (runs.h). */
#ifndef KILN_KERNELS_CONV_PACK_H
#define KILN_KERNELS_CONV_PACK_H

#include "kernels/kernels.h"

enum { SEGMENT = 16 }; /* pixels of a row that a mask covers */

void conv_pack_runs(const struct kernels *k, enum dtype dtype, const struct pack_runs *p, int64_t from, int64_t depth,
                    void *panel);
void conv_pack_lanes(const struct kernels *k, enum dtype dtype, const struct pack_lanes *p, void *panel);
void conv_store_runs(const struct kernels *k, enum dtype dtype, const struct store_runs *s, const void *tile,
                     int64_t rows);
/* Lanes and depths at strides, as the table's pack_4. */
void conv_pack_strided(const struct kernels *k, enum dtype dtype, const void *base, int64_t at, int64_t lane,
                       int64_t step, int64_t count, int64_t width, int64_t depth, void *panel);

static inline size_t sum_size(enum dtype dtype)
{
    return dtype_size(dtype_compute(dtype));
}

static inline uint32_t lanes_mask(int64_t from, int64_t to)
{
    return to > from ? (uint32_t)(((uint64_t)1 << to) - ((uint64_t)1 << from)) : 0;
}

#endif
