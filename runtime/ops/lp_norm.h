/* What expansions into p-norms share. Input 0 of the node is what they are of. */
#ifndef KILN_OPS_LP_NORM_H
#define KILN_OPS_LP_NORM_H

#include "ops/normalised.h"
#include "ops/rank.h"
#include "ops/widen.h"

/* Reads `p`, at least 1, 2 where it is absent. */
bool lp_parse(struct parse *p, int64_t *norm);
/* As a float, before opset 2: whole numbers alone. */
bool lp_parse_1(struct parse *p, int64_t *norm);
/* |x|^p */
struct value *emit_power(struct emitter *e, struct value *x, int64_t p, enum dtype dtype);
/* x^(1/p) for x of at least 0. Where x is 0 its gradient is 0: there is none, and NaN would spread. `dtype` is that of
 * what x was widened from. */
struct value *emit_root(struct emitter *e, struct value *x, int64_t p, enum dtype dtype);

#endif
