/* What If, Loop and the sequence operators share: values of any kind that pass from one graph to another. */
#ifndef KILN_OPS_VALUE_H
#define KILN_OPS_VALUE_H

#include "ops/op.h"

/* Is the output's shape planned, so that it has memory already? */
bool planned(const struct tensor *out);
/* Gives output k the value: into its planned memory, into memory from step_alloc, or, for what is no tensor, by sharing
 * it. `from` must last as long as the output does, but for the elements of tensors. Nothing where nobody reads the
 * output. */
bool pass_value(struct step *s, int k, const struct tensor *from);
/* Widens `type` to what is true of `other` too: a dimension or rank that differs becomes UNKNOWN. False where they
 * differ in more. */
bool join_types(struct tensor *type, const struct tensor *other);

#endif
