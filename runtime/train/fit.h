/* Epochs: what Keras' fit and evaluate do with a data set (https://keras.io/api/models/model_training_apis/). */
#ifndef KILN_TRAIN_FIT_H
#define KILN_TRAIN_FIT_H

#include "data/batch.h"
#include "train/trainer.h"

enum metric { METRIC_LOSS, METRIC_ACCURACY, METRIC_VAL_LOSS, METRIC_VAL_ACCURACY, METRICS };

extern const char *const metric_names[METRICS]; /* "loss", "accuracy", "val_loss", "val_accuracy" */
bool metric_parse(enum metric *out, const char *name, size_t length, struct report *r);

struct early_stop {
    bool on;
    enum metric metric;
    int64_t patience; /* epochs without improvement */
};
/* "val_loss:3" */
bool early_stop_parse(struct early_stop *out, const char *spec, struct report *r);

struct epoch {
    int64_t number;        /* from 1 */
    double value[METRICS]; /* NaN where there is no validation */
    double seconds;        /* of training and validation */
    bool best;             /* by options.save_best; true where that is off */
};

struct fit_step {
    int64_t step, epoch;   /* from 1 */
    int64_t done, of;      /* samples of this epoch */
    float loss;            /* of this batch, before the update */
    double mean, accuracy; /* so far in this epoch */
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
    const enum metric *save_best; /* NULL: none */
    struct early_stop early_stop;
};

/* Trains on `train`, validates on `validation` (may be NULL) after each epoch. The normaliser may be NULL. *ran is how
 * many epochs there were. */
bool trainer_fit(struct trainer *t, const struct dataset *train, const struct dataset *validation,
                 const struct normalizer *normalizer, const struct fit_options *o, const struct fit_events *events,
                 int64_t *ran, struct report *r);
/* Loss and accuracy over a data set, in inference form. */
bool trainer_evaluate(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer, int64_t batch,
                      double *loss, double *accuracy, struct report *r);
/* Does accuracy mean anything for this loss and these data? */
bool fit_has_accuracy(const struct trainer *t, const struct dataset *data);

#endif
