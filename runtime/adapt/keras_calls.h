/* Of which layer Keras 3's names on TensorFlow tell that a node is a call of.
 *
 * A call opens a scope of the layer's name twice, the nodes stand in the second, and TensorFlow puts a number behind a name
 * that is taken: "dense_1" and "dense_3" are calls of the layer "dense", "dense_1_2" is one of the layer "dense_1". So is each
 * scope within others, "functional_1/sequential_3/dense_1". Keras 2 opens it once: there "dense_1" is another layer. */
#ifndef KILN_ADAPT_KERAS_CALLS_H
#define KILN_ADAPT_KERAS_CALLS_H

#include "adapt/step.h"

/* Do the names of this file tell? Where all layers have numbers, and there is a "dense_1_2" without the "dense_1_1" that
 * would be the call before it if each opened one scope. */
bool keras_calls_find(const struct graph *g, struct arena *a, bool *tell, struct report *r);
/* The layer of which a name's first `length` bytes are a call, as memory of the arena: without the numbers of calls; NULL with
 * an error. *order: later calls of a layer have a greater one. */
const char *keras_layer_called(const char *name, size_t length, int64_t *order, struct arena *a, struct report *r);

#endif
