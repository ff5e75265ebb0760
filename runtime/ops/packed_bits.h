/* Numbers of 2, 4 or 8 bits that MatMulNBits and GatherBlockQuantized of com.microsoft have packed in bytes. */
#ifndef KILN_OPS_PACKED_BITS_H
#define KILN_OPS_PACKED_BITS_H

#include "ops/op.h"

/* Reads `bits`, which must be 2, 4 or 8. */
bool bits_parse(struct parse *p, int *bits);
/* x, of uint8, with an element for each of the numbers in a byte, the lowest bits first: the last dimension is 8 / bits times
 * as long. */
struct value *emit_unpacked(struct emitter *e, struct value *x, int bits);
/* What a zero is without a zero point, in `dtype`. */
struct value *emit_middle(struct emitter *e, int bits, enum dtype dtype);

#endif
