/* What was zeros or ones and is not exported. */
#ifndef KILN_ADAPT_VANISHED_H
#define KILN_ADAPT_VANISHED_H

#include "adapt/facts.h"
#include "adapt/step.h"

/* What reads a value, looked at through nodes that only rearrange, join or average: */
enum {
    READ_BIAS = 1,    /* a constant is added, */
    READ_LEARNED = 2, /* which is more than zeros and ones */
    READ_LAYER = 4,   /* a layer that makes up for it, */
    READ_NORMAL = 8   /* BatchNormalization */
};

struct vanished {
    struct adapt *adapt;
    struct edit edit;
    struct facts facts;
    unsigned char *read;       /* by value id: what reads it */
    const struct node **layer; /* by value id: the layer that does, one of them */
    const char **given; /* by value id of a weight: the bias of its layer; of a normalisation's constant: its beta */
    bool learned;       /* some layer has learned a bias: those without any had none */
    size_t count;
};

/* An initializer that has the type of `like` and all elements that number: "SCOPE/what", where the node's name is
 * "SCOPE/..."; NULL with an error. */
const char *vanished_constant(struct vanished *v, const char *name, const char *what, int number,
                              const struct tensor *like);
/* A sum with that constant, or a product, takes the name of the output. */
bool vanished_do_behind(struct vanished *v, const struct node *n, const struct op *op, const char *name);

/* -- vanished_normalization.c -- */

/* Gives the normalisations of Keras their betas of zeros and scales of ones. */
bool vanished_normalizations(struct vanished *v, const struct graph *g);

#endif
