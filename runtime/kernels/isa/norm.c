/* Normalisation. */
#include "kernels/isa/levels.h"
#include "kernels/isa/norm_block.h"
#include "kernels/isa/normalise.h"

const struct norm_kernels OF_LEVEL(norm_kernels) = {
    .moments = moments_loop,
    .moments_columns = moments_columns_loop,
    .dot_centered = dot_centered_loop,
    .dot_rows = dot_rows_loop,
    .scale_shift = scale_shift_loop,
    .scale_shift_columns = scale_shift_columns_loop,
    .norm_back = norm_back_loop,
    .norm_back_columns = norm_back_columns_loop,
    .norm_pool = norm_pool_loop,
    .norm_pool_back = norm_pool_back_loop,
    .last_pool = last_pool_loop,
    .last_pool_back = last_pool_back_loop,
};
