/* Attention in operators of the standard, all scores at once: for gradients of gradients. */
#ifndef KILN_OPS_ATTENTION_SPELLED_H
#define KILN_OPS_ATTENTION_SPELLED_H

#include "kernels/attention.h"
#include "ops/op.h"

struct attention_value { /* of 4 dimensions, or, [batch, length, heads * size], of 3 */
    struct value *value; /* NULL: none */
    const struct tensor *type;
};

struct attention_values {
    struct attention_value q, k[ATTENTION_PARTS], v[ATTENTION_PARTS], mask;
    struct value *valid; /* int64 [batch]; NULL: all keys are */
    struct value
        *log_sums; /* whatever it is, the result is the same: it keeps the exponentials in range. NULL: the largest */
    struct value **largest; /* where that is to be told, [batch, heads, queries]; may be NULL */
    struct value *more;     /* added to each score, in the type of computation; NULL: nothing */
};

/* Y, like Q in type and rank. The mask's keys are told by `a`, too. */
struct value *emit_attention(struct emitter *e, const struct attention *a, const struct attention_values *v);

#endif
