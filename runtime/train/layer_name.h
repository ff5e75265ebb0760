/* The layer that an initializer belongs to, as exporters' names tell. */
#ifndef KILN_TRAIN_LAYER_NAME_H
#define KILN_TRAIN_LAYER_NAME_H

#include "train/trainable.h"

/* By its own name, by that of the node that reads it, else by what else that node reads ("const_fold_opt__17" and
 * "conv1/bias" of "Conv__2058"). "" where nothing tells; NULL without memory, which is the arena's. */
const char *layer_name(const struct parameter *p, struct arena *arena, struct report *r);

#endif
