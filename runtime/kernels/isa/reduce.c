/* Sums, and the like, of rows and of columns. */
#include "kernels/isa/reduce.h"
#include "kernels/isa/levels.h"

const struct reduce_kernels OF_LEVEL(reduce_kernels) = {
    .sum = sum_loop,
    .sum_squares = sum_squares_loop,
    .dot = dot_loop,
    .max_of = max_of_loop,
    .min_of = min_of_loop,
    .sum_rows = sum_rows_loop,
    .combine_rows = combine_rows_loop,
};
