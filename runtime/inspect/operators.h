/* The registry, for programs. */
#ifndef KILN_INSPECT_OPERATORS_H
#define KILN_INSPECT_OPERATORS_H

#include "base/text.h"

/* Every version of every operator, with all types of its inputs and outputs by the names of onnx.defs. False with an
 * error. */
bool operators_json(struct text *out, struct report *r);

#endif
