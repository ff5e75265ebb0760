/* What a data set tells of a model that learns from it, written into the model: how samples are normalised, and what
 * its classes are called. */
#ifndef KILN_TRAIN_NORMALIZED_H
#define KILN_TRAIN_NORMALIZED_H

#include "data/batch.h"
#include "model/model.h"

/* The normalisation that the metadata say (decided.h), for every input of a built model; its kind is none where they say
 * nothing. */
bool model_normalizer(struct normalizer *n, const struct model *m, struct budget *b, struct report *r);

/* A node or two in front of an input, which is a float: what they make is read in its place. */
struct baked {
    const char *input;
    struct scaling scaling; /* of_model */
    struct tensor type;     /* of a batch of it */
};
/* The model must not be built. */
bool model_bake(struct model *m, const struct baked *inputs, size_t count, struct report *r);

/* The classes of an output, as "kiln.classes.NAME" has them: *count names in the arena; NULL where it says nothing, and
 * with an error. */
const char *const *model_classes(const struct model *m, const char *output, int *count, struct arena *a,
                                 struct report *r);

#endif
