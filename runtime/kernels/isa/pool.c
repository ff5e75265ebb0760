/* Pooling. */
#include "kernels/isa/levels.h"
#include "kernels/isa/pools.h"
#include "kernels/isa/windows.h"

const struct pool_kernels OF_LEVEL(pool_kernels) = {
    .row_max = row_max_loop,
    .max_pool_2x2 = max_pool_2x2_loop,
    .max_pool_2x2_grad = max_pool_2x2_grad_loop,
    .windows_max = windows_max_loop,
    .windows_sum = windows_sum_loop,
    .windows_max_grad = windows_max_grad_loop,
    .windows_spread = windows_spread_loop,
};
