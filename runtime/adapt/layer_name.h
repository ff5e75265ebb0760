/* The layer that an initializer belongs to, as exporters' names tell. */
#ifndef KILN_ADAPT_LAYER_NAME_H
#define KILN_ADAPT_LAYER_NAME_H

#include "train/trainable.h"

/* "" where nothing tells; NULL without memory, which is the arena's. */
const char *layer_name(const struct parameter *p, struct arena *arena, struct report *r);

#endif
