/* Optimisers, in float and in double. */
#include "kernels/isa/functions.h"
#include "kernels/isa/lanes.h"
#include "kernels/isa/levels.h"

#define REAL       float
#define BITS       int32_t
#define SQRT       __builtin_sqrtf
#define NAME(loop) loop##_float
#include "kernels/isa/update_loops.h"

#define REAL       double
#define BITS       int64_t
#define SQRT       __builtin_sqrt
#define NAME(loop) loop##_double
#include "kernels/isa/update_loops.h"

const struct update_kernels OF_LEVEL(update_kernels) = {
    .adam = adam_float,
    .rmsprop = rmsprop_float,
    .sgd = sgd_float,
    .adam_double = adam_double,
    .rmsprop_double = rmsprop_double,
    .sgd_double = sgd_double,
};
