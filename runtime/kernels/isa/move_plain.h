/* The oracle of the moves that instruction sets have their own code for. */
#ifndef KILN_KERNELS_ISA_MOVE_PLAIN_H
#define KILN_KERNELS_ISA_MOVE_PLAIN_H

#include "kernels/isa/move.h"

static inline void pack_4_loop(const float *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                               int64_t depth, float *panel)
{
    pack_4_any(x, lane_stride, depth_stride, count, width, depth, panel);
}
static inline void pack_runs_4_loop(const struct pack_runs *p, int64_t from, int64_t depth, float *panel)
{
    pack_runs_4_any(p, from, depth, panel);
}
static inline void pack_lanes_4_loop(const struct pack_lanes *p, float *panel)
{
    pack_lanes_4_any(p, panel);
}
static inline void store_runs_4_loop(const struct store_runs *s, const float *tile, int64_t rows)
{
    store_runs_4_any(s, tile, rows);
}
static inline void transpose_4_loop(const uint32_t *x, int64_t x_stride, uint32_t *y, int64_t y_stride, int64_t rows,
                                    int64_t columns)
{
    enum { BLOCK = 8 };
    const int64_t done = transposed_columns(x, x_stride, y, y_stride, rows, columns);

    for (int64_t r = 0; r < rows; r += BLOCK)
        for (int64_t c = done; c < columns; c += BLOCK)
            transpose_4_any(x + r * x_stride + c, x_stride, y + c * y_stride + r, y_stride,
                            rows - r < BLOCK ? rows - r : BLOCK, columns - c < BLOCK ? columns - c : BLOCK);
}

#endif
