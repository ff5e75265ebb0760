/* What exporters write in the standard's name, and the standard does not have. */
#ifndef KILN_MODEL_DIALECT_H
#define KILN_MODEL_DIALECT_H

#include "model/model.h"

/* Says it in the standard's words, in the messages of a model that was read just now: whatever is done with the model
 * (run, shown, trained, edited, saved) then knows the standard alone. A warning tells what was read as what. Messages
 * that keep to the standard stay as they are.
 *
 *   y = Erfc(x)     1 - Erf(x): Keras' exporter, by way of tf2onnx, of the gelu that is its default
 *   y = Expm1(x)    Tanh(x / 2) * (Exp(x) + 1), which keeps the digits of what is near 0: the same of celu
 *   y = Log1p(x)    Log(1 + x), which does not: what tf2onnx makes of a function with that
 *
 * Not where the model has a function of that name. False, with an error, where memory ran out; the model can then only
 * be freed. */
bool dialect_translate(struct model *m, struct report *r);

#endif
