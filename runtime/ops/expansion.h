/* What expansions share: inputs that may be left out, sizes that only planning knows, and what is made of both. */
#ifndef KILN_OPS_EXPANSION_H
#define KILN_OPS_EXPANSION_H

#include "ops/op.h"

/* Input k; NULL where it is left out, or k is below 0. */
static inline struct value *given(const struct node *n, int k)
{
    return k >= 0 && k < n->inputs ? n->in[k] : NULL;
}
/* An error of the node's: KILN_BAD_MODEL, or KILN_UNSUPPORTED for what is valid, but Kiln cannot. Always false. */
bool expand_error(struct emitter *e, const struct node *n, kiln_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Dimension `dim` of x, a vector of one; below 0 it counts from the end. */
struct value *emit_size(struct emitter *e, struct value *x, int dim);
/* x with the dimensions that `parts` vectors tell, one behind the other. */
struct value *emit_shaped(struct emitter *e, struct value *x, int parts, ...);
/* Elements from, from + step ... below `to` along an axis. */
struct value *emit_slice(struct emitter *e, struct value *x, int64_t axis, int64_t from, int64_t to, int64_t step);
struct value *emit_unsqueezed(struct emitter *e, struct value *x, int64_t axis);
/* 0, 1 ... before `count`, a vector of one int64. */
struct value *emit_counted(struct emitter *e, struct value *count);

#endif
