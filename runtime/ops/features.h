/* What the estimators of ai.onnx.ml look at: rows of features, numbers of any type. */
#ifndef KILN_OPS_FEATURES_H
#define KILN_OPS_FEATURES_H

#include "ops/op.h"

/* Input k is [N, F], or [F], which is one row; false with an error where it is neither. */
bool features_of(struct infer *i, int k, int64_t *rows, int64_t *features);
/* The same where there must be so many features. */
bool features_fit(struct infer *i, int k, int64_t features, int64_t *rows);
/* X as [N, features], in double where it is double and else in float. */
struct value *emit_features(struct emitter *e, struct value *x, int64_t features);

#endif
