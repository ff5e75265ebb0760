/* Operators of com.microsoft that are one of the standard's between a DequantizeLinear and a QuantizeLinear: inputs X, its
 * scale and zero point, then scale and zero point of Y. A zero point may be left out. */
#ifndef KILN_OPS_REQUANTIZED_H
#define KILN_OPS_REQUANTIZED_H

#include "ops/op.h"

struct value *emit_dequantized(struct emitter *e, const struct node *n, int x, int scale, int zero);
/* y as input `scale` and `zero` say, in the type of input x. */
struct value *emit_requantized(struct emitter *e, const struct node *n, struct value *y, int x, int scale, int zero);

enum { REQUANTIZED_X, REQUANTIZED_X_SCALE, REQUANTIZED_X_ZERO, REQUANTIZED_Y_SCALE, REQUANTIZED_Y_ZERO };

#endif
