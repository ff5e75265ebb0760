/* Copies of a model with something changed that its user asks for. */
#ifndef KILN_TRAIN_CHANGE_H
#define KILN_TRAIN_CHANGE_H

#include "train/fix_shapes.h"
#include "train/normalized.h"

struct model_changes {
    bool inference; /* BatchNormalization and Dropout as they are after training */
    size_t constants;
    const char *const *names;           /* of inputs that become constants: */
    const struct tensor *const *values; /* exporters make inputs of what a layer was adapted to, such as a mean */
    size_t shapes;
    const kiln_shape *shape; /* that inputs are to have */
    size_t metadata;
    const char *const *keys, *const *texts; /* in the place of what a key has; NULL takes it away */
    size_t weights;
    const char *const *weight_names; /* of initializers that have another value of their type and shape: */
    const struct tensor *const *weight_values;
    size_t baked;
    const struct baked *bake; /* normalisations that become nodes */
};

/* The metadata alone, of the model itself. */
bool model_set_metadata(struct model *m, const struct model_changes *c, struct report *r);
/* Not built. NULL with an error. */
struct model *model_change(const struct model *m, const struct model_changes *c, struct report *r);

#endif
