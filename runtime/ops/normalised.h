/* What expansions of normalisations share. Input 0 of the node is what is normalised; what of its rank and its type is not
 * known when a model is loaded, planning tells. LayerNormalization is no help: its scale would be one more thing that a
 * model learns. */
#ifndef KILN_OPS_NORMALISED_H
#define KILN_OPS_NORMALISED_H

#include "ops/op.h"

/* Reads axis, -1 where it is absent; no tensor may have so many dimensions that others would be right. */
bool axis_parse(struct parse *p, int64_t *axis);
/* Reads epsilon, which must be at least 0. */
bool epsilon_parse(struct parse *p, float *epsilon, float fallback);
/* The dimensions of input 0 from `axis` on, for a reduction. */
struct value *emit_axes_from(struct emitter *e, const struct node *n, int64_t axis);
/* A number in the type that x is computed in, which was widened from `dtype`. */
struct value *emit_scalar_like(struct emitter *e, double v, struct value *x, enum dtype dtype);
enum epsilon_place { EPSILON_IN_ROOT, EPSILON_BEHIND_ROOT };
/* x less its mean over `axes`, divided by the root of its variance, with epsilon added to one or the other: computed in
 * float, or in double where x is; of the type of input 0. */
struct value *emit_normalised(struct emitter *e, const struct node *n, struct value *x, struct value *axes,
                              float epsilon, enum epsilon_place place);
/* sqrt(mean of x^2 over `axes` + epsilon), of x that was widened from input 0's type. */
struct value *emit_root_mean_square(struct emitter *e, const struct node *n, struct value *x, struct value *axes,
                                    float epsilon);
/* y * scale + shift, both vectors along dimension 1 of y, which has the dimensions of input 0. */
struct value *emit_per_channel(struct emitter *e, const struct node *n, struct value *y, struct value *scale,
                               struct value *shift);

#endif
