/* Rows, element by element. */
#include "kernels/isa/elementwise.h"
#include "kernels/isa/levels.h"

const struct map_kernels OF_LEVEL(map_kernels) = {
    .add = add_loop,
    .mul = mul_loop,
    .add_s = add_s_loop,
    .mul_s = mul_s_loop,
    .relu = relu_loop,
    .affine = affine_loop,
    .axpy = axpy_loop,
    .bias_columns = bias_columns_loop,
    .bias_rows = bias_rows_loop,
};
