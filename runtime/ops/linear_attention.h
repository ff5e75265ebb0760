/* What LinearAttention's file and the one that spells it out share. */
#ifndef KILN_OPS_LINEAR_ATTENTION_H
#define KILN_OPS_LINEAR_ATTENTION_H

#include "ops/op.h"

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA, INPUTS };    /* inputs */
enum { OUTPUT, PRESENT, OUTPUTS };                        /* outputs */
enum { GRAD_OUTPUT = INPUTS, GRAD_PRESENT, GRAD_INPUTS }; /* inputs of the gradient, after those */

struct linear_attention {
    int64_t q_heads, kv_heads;
    float scale; /* 0: by the size of keys */
    bool gated, delta;
};

/* op_def.retrace of the gradient: token by token. */
bool linear_attention_retrace(struct emitter *e, const struct node *n, const struct tensor *const *in,
                              struct value *const *x, struct retraced *r);

#endif
