/* Random numbers. */
#include "kernels/isa/random.h"
#include "kernels/isa/levels.h"

const struct random_kernels OF_LEVEL(random_kernels) = {
    .uniform = random_uniform_loop,
    .drop = drop_loop,
    .keep = keep_loop,
};
