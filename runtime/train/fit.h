/* Epochs: what Keras' fit does with a data set (https://keras.io/api/models/model_training_apis/). */
#ifndef KILN_TRAIN_FIT_H
#define KILN_TRAIN_FIT_H

#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/measure.h"
#include "train/plateau.h"

/* Keras' EarlyStopping. */
struct early_stop {
    bool on;
    struct measure_name measure;
    int64_t patience; /* epochs without improvement */
    double min_delta; /* what is less counts as none */
};

struct epoch {
    int64_t number;             /* from 1 */
    double *train, *validation; /* by measure; what is told may be changed */
    double seconds;             /* of training and validation */
    bool best;                  /* by options.save_best; true where that is off */
    double learning_rate;       /* when its steps were done, as Keras logs it: a schedule's is that of the next step */
};

struct fit_step {
    int64_t step, epoch; /* from 1 */
    int64_t done, of;    /* samples of this epoch; `of` is what there may be at most, 0 where that is not known yet */
    float loss;          /* of this batch, before the update */
    double *so_far;      /* by measure, in this epoch; may be changed */
};

/* All may be NULL; false stops, with KILN_STOPPED unless there is another error in the report. */
struct fit_events {
    void *user;
    /* The epochs that lie behind in a checkpoint, then how many there are, and steps: all is checked. */
    bool (*past)(void *user, const struct epoch *e, struct report *r);
    bool (*start)(void *user, int64_t epochs, int64_t steps, struct report *r);
    bool (*begin)(void *user, int64_t epoch, struct report *r); /* before the first step of each epoch */
    bool (*step)(void *user, const struct fit_step *s, struct report *r);
    bool (*epoch)(void *user, const struct epoch *e, struct report *r);
};

struct fit_options {
    int64_t batch, epochs;
    int64_t initial_epoch;    /* so many are taken to lie behind */
    int64_t steps_per_epoch;  /* an epoch has so many, the data begin anew where they end; 0: once through the data */
    int64_t validation_freq;  /* validation after each so many epochs; 0: after each */
    int64_t validation_steps; /* batches of the validation set; 0: all */
    bool shuffle;
    uint64_t seed;
    const struct augmentation *augmentation; /* of what is trained with; NULL: none */
    const struct measure_name *save_best;    /* NULL: none */
    struct early_stop early_stop;
    struct reduce_on_plateau reduce_on_plateau;
    const struct measure_name *restore_best; /* at the end values are what they were when this was best; NULL: no */
    const struct normalizer *validation_normalizer; /* NULL: that of the training */
    const char *checkpoint; /* the file that is replaced after each epoch, and when the training is stopped; or NULL */
    int64_t checkpoint_steps; /* and after each so many steps; 0: not */
    const char *resume;       /* the checkpoint to go on from; NULL: none */
};

/* Trains on `train`, validates on `validation` (may be NULL). The normaliser may be NULL. *ran is how many epochs lie
 * behind. A checkpoint that cannot be written is a warning: the next one may be. */
bool trainer_fit(struct trainer *t, const struct dataset *train, const struct dataset *validation,
                 const struct normalizer *normalizer, const struct fit_options *o, const struct fit_events *events,
                 int64_t *ran, struct report *r);

#endif
