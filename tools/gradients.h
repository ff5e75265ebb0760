/* What is told of gradients, for people. */
#ifndef KILN_TOOLS_GRADIENTS_H
#define KILN_TOOLS_GRADIENTS_H

#include "tools.h"

void put_gradients(struct page *out, const char *file, const kiln_model *model, const kiln_gradients *gradients);

#endif
