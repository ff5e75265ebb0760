/* What every operator is held to. */
#ifndef KILN_TESTS_UNIT_WALK_H
#define KILN_TESTS_UNIT_WALK_H

#include "ops/op.h"

/* Every row, every case: inferred against actual shapes, every type, values known early and late, threads, gradients, what
 * passes are told. */
void walk_operator(const struct op *op);

#endif
