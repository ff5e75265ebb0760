/* Integers of 8 bits: products, and the way between them and floats. */
#include "kernels/isa/integers.h"
#include "kernels/isa/levels.h"
#include "kernels/isa/quads.h"

const struct integer_kernels OF_LEVEL(integer_kernels) = {
    .vectors = MOST_VECTORS,
    .widen = widen_loop,
    .pair = pair_loop,
    .tile = integer_tile_loop,
    .taps = integer_taps_loop,
    .quad_products = QUAD_PRODUCTS,
    .quad_rows = MOST_QUAD_ROWS,
    .quad_vectors = MOST_QUAD_VECTORS,
    .quads = integer_quads_loop,
    .columns = integer_columns_loop,
    .store = integer_store_loop,
    .axpy = integer_axpy_loop,
    .quantize_8 = quantize_8_loop,
    .quantize_16 = quantize_16_loop,
    .requantize = requantize_loop,
};
