/* Which dimension of an output holds the classes: the last one in Keras and TensorFlow, the second in PyTorch, where
 * there is more than one row for each sample ([N, C, H, W]). */
#ifndef KILN_TRAIN_CLASS_AXIS_H
#define KILN_TRAIN_CLASS_AXIS_H

#include "train/trainer.h"

/* Counted from the output's first dimension. As it is asked for, or as a Softmax goes, or 1 of masks ([N, 1, H, W]), or
 * as the labels leave it open; the last one where nothing tells, with a warning where others are as likely. 0 with an error. `type` is the output's,
 * known. */
int class_axis_find(const struct value *out, const struct tensor *type, const struct target_options *o,
                    struct report *r);

/* The type with dimension `axis` moved to the end. */
struct tensor class_axis_last(const struct tensor *type, int axis);
/* Emits what moves it there. */
struct value *class_axis_emit(struct emitter *e, struct value *v, int rank, int axis);

#endif
