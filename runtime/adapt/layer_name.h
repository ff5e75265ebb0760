/* The layer that an initializer belongs to, as exporters' names tell. */
#ifndef KILN_ADAPT_LAYER_NAME_H
#define KILN_ADAPT_LAYER_NAME_H

#include "train/trainable.h"

/* Into `out`; "" where nothing tells. */
enum { LAYER_NAME = 200 };
void layer_name(char out[LAYER_NAME], const struct parameter *p);

#endif
