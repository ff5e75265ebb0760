/* Epochs: what Keras' fit and evaluate do with a data set (https://keras.io/api/models/model_training_apis/). */
#ifndef KILN_TRAIN_FIT_H
#define KILN_TRAIN_FIT_H

#include "data/batch.h"
#include "train/measure.h"

struct early_stop {
    bool on;
    struct measure_name measure;
    int64_t patience; /* epochs without improvement */
};

struct epoch {
    int64_t number;             /* from 1 */
    double *train, *validation; /* by measure; what is told may be changed */
    double seconds;             /* of training and validation */
    bool best;                  /* by options.save_best; true where that is off */
};

struct fit_step {
    int64_t step, epoch; /* from 1 */
    int64_t done, of;    /* samples of this epoch */
    float loss;          /* of this batch, before the update */
    double *so_far;      /* by measure, in this epoch; may be changed */
};

/* Both may be NULL; false stops, with KILN_STOPPED unless there is another error in the report. */
struct fit_events {
    void *user;
    bool (*step)(void *user, const struct fit_step *s, struct report *r);
    bool (*epoch)(void *user, const struct epoch *e, struct report *r);
};

struct fit_options {
    int64_t batch, epochs;
    bool shuffle;
    uint64_t seed;
    const struct measure_name *save_best; /* NULL: none */
    struct early_stop early_stop;
    const struct normalizer *validation_normalizer; /* NULL: that of the training */
};

/* Trains on `train`, validates on `validation` (may be NULL) after each epoch. The normaliser may be NULL. *ran is how
 * many epochs there were. */
bool trainer_fit(struct trainer *t, const struct dataset *train, const struct dataset *validation,
                 const struct normalizer *normalizer, const struct fit_options *o, const struct fit_events *events,
                 int64_t *ran, struct report *r);
/* In inference form; `out` has room for all measures. */
bool trainer_evaluate(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer, int64_t batch,
                      double *out, struct report *r);

struct confusion_matrix {
    int64_t classes;
    int64_t *counts; /* [classes][classes], by label, then by what is predicted; of the trainer's budget */
};

/* The same, and how often each class of a target is taken for each: matrix->counts is the caller's to free, also on
 * failure. */
bool trainer_confusion(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                       int64_t batch, size_t target, double *out, struct confusion_matrix *matrix, struct report *r);

#endif
