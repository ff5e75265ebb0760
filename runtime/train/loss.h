/* Losses and accuracy, as Keras defines them (https://keras.io/api/losses/), in one node that stands behind the model's
 * output and gives the loss, how many samples are right, and the gradient of the loss: what the backward walk starts
 * from.
 *
 *   sparse_categorical_crossentropy   labels int64 [n...], output [n..., classes]
 *   categorical_crossentropy          labels float, one row for each sample
 *   binary_crossentropy               labels float of the output's shape
 *   mean_squared_error                the same
 *
 * The mean is over all rows of the batch at hand. A model that ends in Softmax or Sigmoid is taken back to its logits,
 * as Keras does: no probability is then too small for its logarithm. Other probabilities are renormalised (categorical)
 * and clipped to [1e-7, 1 - 1e-7].
 *
 * Accuracy: a last dimension of 1 is right where output and label are on the same side of 0.5; otherwise where the
 * largest output, the first of equal ones, is the label's. */
#ifndef KILN_TRAIN_LOSS_H
#define KILN_TRAIN_LOSS_H

#include "ops/op.h"

enum loss_kind { LOSS_SPARSE_CATEGORICAL, LOSS_CATEGORICAL, LOSS_BINARY, LOSS_SQUARED };

/* What the data give to compare with. */
enum targets {
    TARGETS_CLASSES, /* integers */
    TARGETS_VALUES   /* floats: one-hot rows, probabilities, numbers */
};

struct loss {
    enum loss_kind kind;
    bool logits;      /* the node reads logits */
    struct value *at; /* what it reads: the model's output, or the logits behind it */
    char said[160];   /* how it was chosen, in words: "softmax cross-entropy, because the model ends in Softmax" */
};

const char *loss_name(enum loss_kind kind);
/* Chooses the loss for the model's output `out`: as `spec` says ("NAME" or "NAME:from_logits=1"), or, where it is NULL,
 * by what the output is. `type` is the output's, with known dimensions. */
bool loss_choose(struct loss *l, const char *spec, struct value *out, const struct tensor *type, enum targets targets,
                 int classes, struct report *r);
/* The type of the labels that this loss wants for an output of that type. */
struct tensor loss_labels(const struct loss *l, const struct tensor *output);

struct loss_values {
    struct value *loss;     /* float, scalar: the mean */
    struct value *correct;  /* int64, scalar: how many rows (elements, where the last dimension is 1) are right */
    struct value *gradient; /* of loss->at; NULL unless asked for */
};
bool loss_emit(struct emitter *e, const struct loss *l, struct value *at, struct value *labels, bool gradient,
               struct loss_values *out);
/* Of how many `correct` is counted. */
int64_t loss_rows(const struct tensor *output);

#endif
