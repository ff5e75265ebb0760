/* The activation that an operator of com.microsoft does behind its product: it has a name, and up to two numbers. */
#ifndef KILN_OPS_FUSED_ACTIVATION_H
#define KILN_OPS_FUSED_ACTIVATION_H

#include "ops/op.h"

enum { FUSED_NUMBERS = 2 };

struct fused_activation {
    int kind; /* 0: none */
    float number[FUSED_NUMBERS];
};

/* Reads `activation`, and says in *numbers how many numbers it has. */
bool fused_activation_parse(struct parse *p, struct fused_activation *a, int *numbers);
struct value *emit_fused_activation(struct emitter *e, const struct fused_activation *a, struct value *x);

#endif
