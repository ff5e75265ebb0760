/* --shape NAME=1x3x224x224: what the dimensions that a model leaves open are to be. */
#ifndef KILN_TOOLS_SHAPES_H
#define KILN_TOOLS_SHAPES_H

#include "tools.h"

enum { MAX_SHAPES = 64 };

struct shapes {
    size_t count;
    kiln_shape of[MAX_SHAPES];
    int64_t dims[MAX_SHAPES][KILN_MAX_RANK];
};

/* limits_options, and --shape as well: a verb's parser gives them a struct limits and a struct shapes at ARGP_KEY_INIT,
 * state->child_inputs[0] and [1]. */
extern const struct argp_child shaped_options[];
/* A copy with these shapes takes the place of the model. False with an error, and *m as it was. */
bool shapes_set(const struct shapes *shapes, struct command *c, kiln_model **m);

#endif
