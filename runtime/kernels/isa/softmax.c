/* Softmax of rows. */
#include "kernels/isa/levels.h"
#include "kernels/isa/reduce.h"

const struct softmax_kernels OF_LEVEL(softmax_kernels) = {
    .row = softmax_loop,
    .log_row = log_softmax_loop,
    .row_grad = softmax_grad_loop,
    .log_row_grad = log_softmax_grad_loop,
    .exps = exps_loop,
    .capped = capped_loop,
    .biased = biased_loop,
    .masked = masked_loop,
};
