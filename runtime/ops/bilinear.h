/* Operators that are linear in each of two operands, y = f(A, B): products, convolutions. Their gradients are computed by
 * one private node, (dY, A, B) -> dA, dB, which is linear in each of its inputs, too. */
#ifndef KILN_OPS_BILINEAR_H
#define KILN_OPS_BILINEAR_H

#include "ops/op.h"

/* The gradient of that private node, whose attributes are those of the newest row of `forward`. */
bool bilinear_gradient(struct backward *b, const struct op *forward);

#endif
