/* What Keras' evaluate does with a data set (https://keras.io/api/models/model_training_apis/). */
#ifndef KILN_TRAIN_EVALUATE_H
#define KILN_TRAIN_EVALUATE_H

#include "data/normalizer.h"
#include "train/trainer.h"

/* In inference form; `out` has room for all measures. */
bool trainer_evaluate(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer, int64_t batch,
                      double *out, struct report *r);
/* Of at most `batches` batches; 0: all. */
bool trainer_evaluate_some(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                           int64_t batch, int64_t batches, double *out, struct report *r);

struct confusion_matrix {
    int64_t classes;
    int64_t *counts; /* [classes][classes], by label, then by what is predicted; of the trainer's budget */
};

/* The same, and how often each class of a target is taken for each: matrix->counts is the caller's to free, also on
 * failure. */
bool trainer_confusion(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                       int64_t batch, size_t target, double *out, struct confusion_matrix *matrix, struct report *r);

#endif
