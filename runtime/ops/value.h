/* What If, Loop and the sequence operators share: values of any kind that pass from one graph to another. Where one is
 * optional in one graph and is not in another, it is so in both: an optional value that holds it. */
#ifndef KILN_OPS_VALUE_H
#define KILN_OPS_VALUE_H

#include "ops/op.h"

/* Is the output's shape planned, so that it has memory already? */
bool planned(const struct tensor *out);
/* Gives output k the value: into its planned memory, into memory from step_alloc, in an optional value, where it is to be
 * one, or, for what is no tensor, by sharing it. `from` must last as long as the output does, but for the elements of
 * tensors. Nothing where nobody reads the output. */
bool pass_value(struct step *s, int k, const struct tensor *from);
/* A deep copy; where it is to be an optional value and is none, one that holds it. */
bool copy_value(struct heap *h, struct tensor *to, const struct tensor *from, bool optional, struct report *r);
/* Widens `type` to what is true of `other` too: a dimension or rank that differs becomes UNKNOWN, what is optional in one
 * of them is so. False where they differ in more. */
bool join_types(struct tensor *type, const struct tensor *other);

#endif
