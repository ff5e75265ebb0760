/* BatchNormalization in training form that an exporter has written out: Keras' layers that are called with training=True.
 *
 *   m = mean(x), v = mean((x - m)^2)        over all axes but the channels', of which the batch's is one
 *   y = (x - m) / sqrt(v + eps) * gamma + beta
 *
 * however that is written: the deviation as Sqrt, as Pow, its reciprocal multiplied, gamma multiplied into it first, beta
 * less m gamma / deviation added last, x read before a Transpose and m behind it. */
#ifndef KILN_ADAPT_BATCH_STATISTICS_H
#define KILN_ADAPT_BATCH_STATISTICS_H

#include "adapt/facts.h"

struct batch_layer {
    const struct value *x, *y;
    int axis;           /* of the channels, in x */
    int perm[MAX_RANK]; /* of y: dimension d of it is perm[d] of x */
    int64_t channels;
    double epsilon;
    const double *gamma, *beta; /* [channels]; beta may be NULL: 0 */
    const char *name;           /* of the layer */
};

struct batch_layers {
    struct batch_layer *at;
    size_t count;
};

bool batch_layers_find(struct batch_layers *out, const struct facts *f, struct arena *arena, struct report *r);
/* Puts BatchNormalization in training form in their places, with running statistics of 0 and 1. The model that `e` edits
 * is a copy of the one that they were found in. */
bool batch_layers_write(const struct batch_layers *l, const struct facts *f, float momentum, struct edit *e);

#endif
