/* A copy of a model made fit for training: in inference form, with statistics of its own for each
 * BatchNormalization: all calls of one layer have one set. */
#ifndef KILN_TRAIN_PREPARE_H
#define KILN_TRAIN_PREPARE_H

#include "model/model.h"

/* `m` must be built; the copy is built, too. Nodes in training form (BatchNormalization with training_mode, Dropout
 * with it) are turned into inference form. Statistics that an exporter merged with equal tensors, or hid behind a chain
 * of constants, become initializers of their own; with `untie`, so does every initializer that several nodes read. Its
 * memory is charged to `total`. NULL with an error. */
struct model *model_prepare(const struct model *m, bool untie, struct budget *total, struct report *r);
/* The same without building: what `kiln convert --inference` writes. */
bool model_to_inference(struct model *m, struct report *r);

#endif
