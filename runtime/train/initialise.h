/* Initial weights, drawn by Keras' rules (https://keras.io/api/layers/initializers/).
 *
 * Which rule is a model's own metadata: metadata_props "init.NAME" is "glorot_uniform", "he_normal", "zeros",
 * "constant:0.1", "random_uniform:minval=-1,maxval=1" ... Where there is none it goes by the kind of layer, as in
 * Keras: weights glorot_uniform, recurrent ones orthogonal, tables random_uniform, biases and running means zeros,
 * scales and running variances ones. */
#ifndef KILN_TRAIN_INITIALISE_H
#define KILN_TRAIN_INITIALISE_H

#include "model/model.h"

struct initialise_options {
    uint64_t seed;
    /* Initializers that the model has are drawn anew, too: by the initialization of its training_info, where it has one. */
    bool again;
};

/* Graph inputs that are parameters become initializers. `m` must be built; the result is not yet. *count is how many
 * were drawn. NULL with an error. */
struct model *model_initialise(const struct model *m, const struct initialise_options *o, size_t *count,
                               struct report *r);
/* A parameter about to be drawn: input `input` of `reader`. */
struct initial {
    const char *name, *rule;
    const struct node *reader; /* NULL: nothing reads it */
    int input;
    uint64_t seed;
    size_t ordinal; /* what it is given depends on that and the seed alone */
};
/* Fills t->data, of float, float16, bfloat16 or double. */
bool initial_draw(struct tensor *t, const struct initial *i, struct budget *b, struct report *r);
/* What the model's metadata say of a name, the first of several; NULL where they say nothing. */
const char *initial_rule(const struct model *m, const char *name);

/* How many parameters, named by the model's metadata, are graph inputs without a value. */
size_t model_missing_values(const struct model *m);

#endif
