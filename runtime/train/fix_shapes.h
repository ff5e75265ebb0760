/* Open dimensions of inputs become numbers. */
#ifndef KILN_TRAIN_FIX_SHAPES_H
#define KILN_TRAIN_FIX_SHAPES_H

#include "model/model.h"

/* In a model that is not built yet. A symbol becomes the same number in all that the main graph declares. */
bool model_fix_shapes(struct model *m, const kiln_shape *shapes, size_t count, struct report *r);

#endif
