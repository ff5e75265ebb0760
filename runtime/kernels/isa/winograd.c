/* Winograd's transformations. */
#include "kernels/isa/winograd.h"
#include "kernels/isa/levels.h"

const struct winograd_kernels OF_LEVEL(winograd_kernels) = {
    .input = winograd_input_loop,
    .gradient = winograd_gradient_loop,
    .results = winograd_results_loop,
    .weights = winograd_weights_loop,
    .weight_gradient = winograd_weight_gradient_loop,
};
