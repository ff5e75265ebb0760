/* The attributes of Transpose, for passes (plan/pass.h). */
#ifndef KILN_OPS_TRANSPOSE_H
#define KILN_OPS_TRANSPOSE_H

#include "ops/op.h"

struct transpose {
    struct ints perm;
    bool given; /* else the order is reversed */
};

#endif
