/* For expansions that compute in a wider type than they are given. The type of a value is known of nearly all when a model
 * is loaded: then it is a Cast, or nothing. Where only planning can tell, a private node looks. */
#ifndef KILN_OPS_WIDEN_H
#define KILN_OPS_WIDEN_H

#include "ops/op.h"

enum widening {
    WIDEN_HALVES,  /* float16 and bfloat16 to float */
    WIDEN_INTEGERS /* those of 8 and 16 bits to int32, whose low bits are theirs */
};

/* x in the wide type of its own, which is `dtype` where that is known. */
struct value *emit_widened(struct emitter *e, struct value *x, enum dtype dtype, enum widening what);
/* y, computed of what was widened, in the type of x again: another value than x. */
struct value *emit_narrowed(struct emitter *e, struct value *y, struct value *x, enum dtype dtype, enum widening what);

#endif
