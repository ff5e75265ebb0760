/* What exporters write in the standard's name, and the standard does not have. */
#ifndef KILN_MODEL_DIALECT_H
#define KILN_MODEL_DIALECT_H

#include "model/model.h"

/* Says it in the standard's words, in the messages of a model that was read just now: whatever is done with the model
 * (run, shown, trained, edited, saved) then knows the standard alone. A warning tells what was read as what. Messages
 * that keep to the standard stay as they are.
 *
 *   y = Erfc(x)    1 - Erf(x): Keras' exporter, by way of tf2onnx, of the gelu that is its default
 *
 * Not where the model has a function of that name. False, with an error, where memory ran out; the model can then only
 * be freed. */
bool dialect_translate(struct model *m, struct report *r);

#endif
