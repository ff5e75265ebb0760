/* Regularisers, as Keras defines them (https://keras.io/api/layers/regularizers/): what is added to the loss for large
 * parameters or activities. Each is a file in regularizers/ and a line in its meson.build: nothing else knows which
 * there are. */
#ifndef KILN_TRAIN_REGULARIZER_H
#define KILN_TRAIN_REGULARIZER_H

#include "base/spec.h"
#include "ops/op.h"

/* -- the contract of a regulariser -- */

struct penalized {
    const void *settings;
    struct value *x;
    enum dtype dtype;          /* of x: float or double, which the nodes compute in */
    const struct tensor *type; /* of a parameter; NULL: an activity, whose samples are not known */
};

struct regularizer_def {
    struct spec_row row;
    size_t settings_size;
    /* What bounds of options do not tell; NULL: nothing. Why it does not do for that; NULL: it does. `x` is not there
     * yet. */
    const char *(*refuses)(const struct penalized *p);
    /* Emits nodes of the standard that compute the penalty, a scalar of x' type; the gradient follows from them. */
    struct value *(*emit)(struct emitter *e, const struct penalized *p);
};

/* A number of x' type, and a times such a value. */
struct value *penalty_number(struct emitter *e, const struct penalized *p, double a);
struct value *penalty_times(struct emitter *e, const struct penalized *p, double a, struct value *v);

extern const struct regularizer_def
    *const regularizer_registry[]; /* ended by NULL; made from regularizers/meson.build */

/* -- one that was asked for -- */

struct regularizer {
    const struct regularizer_def *def;
    void *settings; /* of the arena */
};

/* "l2", "l2:0.0001", "orthogonal_regularizer:factor=0.1,mode=columns". */
bool regularizer_parse(struct regularizer *out, const char *spec, struct arena *arena, struct report *r);
spec_table regularizer_table;

#endif
