/* Convolution: tiles, depthwise, planes. */
#include "kernels/isa/depth.h"
#include "kernels/isa/levels.h"
#include "kernels/isa/planes.h"
#include "kernels/isa/tile.h"
#include "kernels/isa/windows.h"

const struct conv_kernels OF_LEVEL(conv_kernels) = {
    .tile_pixels = TILE_SIZES,
    .weight_taps = TILE_SIZES,
    .tile = tile_loop,
    .weight_tile = weight_tile_loop,
    .depth_tile = depth_tile_loop,
    .depth_rows = depth_rows_loop,
    .depth_weight_tile = depth_weight_tile_loop,
    .plane_rows = plane_rows_loop,
    .every = every_loop,
    .row_axpy = row_axpy_loop,
    .row_dot = row_dot_loop,
};
