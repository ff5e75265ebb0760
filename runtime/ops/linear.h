/* LinearClassifier and LinearRegressor: scores = X coefficients^T + intercepts, a product as every Gemm. */
#ifndef KILN_OPS_LINEAR_H
#define KILN_OPS_LINEAR_H

#include "ops/op.h"
#include "ops/post_transform.h"

struct linear {
    int64_t targets, features;
    const float *coefficients; /* [targets, features] */
    const float *intercepts;   /* [targets]; NULL for none */
    enum post_transform post;
};

/* Attributes coefficients, intercepts and post_transform. Where there are no intercepts, there are `targets`. */
bool linear_parse(struct parse *p, struct linear *l, int64_t targets);
/* [N, targets], before post_transform; computed in double where X is double, else in float. */
struct value *emit_linear(struct emitter *e, struct value *x, const struct linear *l);
/* What became of the scores in double, in float. */
struct value *emit_float(struct emitter *e, struct value *v);

#endif
