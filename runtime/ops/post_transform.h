/* What the estimators of ai.onnx.ml make of their scores, row by row: `post_transform`.
 *
 *   SOFTMAX       exp(s - max) / sum
 *   LOGISTIC      1 / (1 + exp(-s))
 *   SOFTMAX_ZERO  the same as SOFTMAX, but that scores within 1e-7 of 0 count for nothing in the sum and become
 *                 s * exp(-max)
 *   PROBIT        the quantile of the normal distribution, by Winitzki's formula for the inverse of erf with a = 0.147
 *
 * The standard names them and no more; the formulas are those that onnxruntime and the reference have, down to that of
 * PROBIT, which is within 1.3e-3 of the quantile; onnxruntime computes it in float, which leaves 5e-5 at 0.5. Where all scores of a row are 0, SOFTMAX_ZERO gives 0.5 each as the
 * reference does (onnxruntime: NaN); where PROBIT has a score of 0 or 1 it is infinite as in onnxruntime (the reference:
 * 0). */
#ifndef KILN_OPS_POST_TRANSFORM_H
#define KILN_OPS_POST_TRANSFORM_H

#include "ops/op.h"

enum post_transform { POST_NONE, POST_SOFTMAX, POST_LOGISTIC, POST_SOFTMAX_ZERO, POST_PROBIT, POST_TRANSFORMS };

/* Of the attribute `post_transform`, a string. An error is left for the parser to see. */
enum post_transform post_transform_parse(struct parse *p);
/* One row, in place. */
void post_transform(enum post_transform t, double *scores, int64_t n);
/* The same of a matrix of scores, float or double. */
struct value *emit_post_transform(struct emitter *e, struct value *scores, enum post_transform t);

#endif
