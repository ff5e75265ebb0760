/* Noise that an exporter has written out: Keras' layers that are called with training=True, and what adds or multiplies by
 * numbers of the normal distribution likewise.
 *
 *   GaussianNoise     y = x + stddev * z
 *   GaussianDropout   y = x * (1 + sqrt(rate / (1 - rate)) * z)
 *
 * The standard has no operator that does so in training alone.
 *
 * Numbers that a value of the network scales are no layer: so a variational autoencoder samples, mean + exp (.5 * log of the
 * variance) * z, in inference as in training. */
#ifndef KILN_ADAPT_WRITTEN_NOISE_H
#define KILN_ADAPT_WRITTEN_NOISE_H

#include "adapt/facts.h"

struct written_noise {
    const struct node *random; /* draws the numbers */
    const struct value *x; /* without noise; NULL: it is no such layer, or x is what `node` makes without its summand */
    const struct node *node; /* adds it, or multiplies by it; NULL: it is no such layer */
    bool factor;
    const struct node *scaled; /* multiplies them by what the network computes; NULL */
    double deviation;          /* of what is added, or of the factor */
    bool gone;                 /* it is to be taken out */
};

struct written_noises {
    struct written_noise *at; /* one for each node that draws of the normal distribution */
    size_t count;
};

bool written_noises_find(struct written_noises *out, const struct facts *f, struct arena *arena, struct report *r);
/* Takes out those that are to go. The model that `e` edits is a copy of the one that they were found in. */
bool written_noises_drop(const struct written_noises *n, const struct facts *f, struct edit *e);

#endif
