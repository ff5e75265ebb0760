/* The attributes of Constant, for passes (plan/pass.h). */
#ifndef KILN_OPS_CONSTANT_H
#define KILN_OPS_CONSTANT_H

#include "ops/op.h"

struct constant {
    struct tensor value; /* data belongs to the model */
};

#endif
