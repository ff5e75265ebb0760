/* Dropout that an exporter has written out: Keras' layers that are called with training=True, and what drops the same of
 * several values: Keras' SpatialDropout and noise_shape, the stochastic depth of torchvision.
 *
 *   keep = uniform >= rate      y = keep ? x / (1 - rate) : 0
 *
 * however that is written: the comparison the other way round, behind a Not, the product with what it is cast to or a
 * Where, x scaled before or behind it, perhaps before a Transpose; or with Bernoulli in the place of the comparison, as
 * PyTorch writes torch.bernoulli.
 *
 * Two others that draw such numbers are known, too, and stay as they are: AlphaDropout, which has no operator, and which
 * Keras applies in inference as well where it was called with training=True; and the noise of Gumbel's distribution,
 * -log (-log (uniform)), by which a network draws classes whether or not it is trained. */
#ifndef KILN_ADAPT_WRITTEN_DROPOUT_H
#define KILN_ADAPT_WRITTEN_DROPOUT_H

#include "adapt/facts.h"

struct written_dropout {
    const struct node *random; /* draws the numbers, of any distribution but the normal one */
    const struct value *x, *y; /* NULL: it is none, and why: */
    const char *why_not;
    const char *known_as, *known_by; /* which other thing it is, and what tells; NULL: that is not known */
    const struct node *scale; /* the product, before x or before Transposes that x is behind; NULL: not before x */
    double ratio;
    bool spread;                 /* a number counts for several values: y = x * Dropout(ones) */
    enum dtype type;             /* of x */
    const struct value *numbers; /* in the shape in which they count */
};

struct written_dropouts {
    struct written_dropout *at; /* one for each node that draws */
    size_t count;
};

bool written_dropouts_find(struct written_dropouts *out, const struct facts *f, struct arena *arena, struct report *r);
/* Puts Dropout in inference form in the places of those that are it. The model that `e` edits is a copy of the one that
 * they were found in. */
bool written_dropouts_write(const struct written_dropouts *d, const struct facts *f, struct edit *e);

#endif
