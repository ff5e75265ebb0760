/* Checkpoints: all that a training needs to go on to the same bytes as if it had not stopped, in one file that is
 * replaced whole. It is an archive of arrays (data/npz_write.h): "about" says in lines of text which model, data and
 * settings it is of; "fit/..." is where the training is; "value/NAME" and "SLOT/NAME" are the trainer's state; "best/NAME"
 * the values that were best. Random numbers need nothing of their own: they come of the seed and the step's number. */
#ifndef KILN_TRAIN_CHECKPOINT_H
#define KILN_TRAIN_CHECKPOINT_H

#include "data/augment.h"
#include "data/normalizer.h"
#include "train/trainer.h"

/* A number, or several, that lasts from step to step outside the trainer. */
struct checkpoint_field {
    const char *name;
    enum dtype dtype; /* F64 or I64 */
    void *at;
    int64_t count;
    double low, high; /* that it lies between, or the file is damaged; 0, 0: anywhere */
};

/* A row of numbers for each epoch that lies behind. */
struct past {
    double *rows; /* [room][width], of the trainer's budget */
    int64_t epochs, room, width;
};

struct checkpoint {
    const struct checkpoint_field *fields;   /* ended by one without a name; NULL: a loop of the caller's own */
    struct past *past;                       /* NULL likewise; loading puts others in its rows' place */
    const struct dataset *data;              /* NULL likewise */
    const struct normalizer *normalizer;     /* may be NULL */
    const struct augmentation *augmentation; /* likewise */
    int64_t batch;
    bool shuffle;
    uint64_t seed;
    struct snapshot *best;                          /* NULL: none */
    double learning_rate;                           /* that the training began with */
    const struct dataset *validation;               /* may be NULL */
    const struct normalizer *validation_normalizer; /* likewise */
    /* Says the settings of who fits, in lines as those of checkpoint_about.h; may be NULL. */
    void (*say)(struct text *out, const void *user);
    const void *user;
    struct text *about; /* what the checkpoints of one training say of it: once, since it reads all data; NULL: anew */
};

bool checkpoint_save(const char *path, struct trainer *t, const struct checkpoint *c, struct report *r);
/* Nothing has changed on failure: when it is of another model, data set or optimiser, or damaged. A warning tells of
 * settings that are others now. */
bool checkpoint_load(const char *path, struct trainer *t, const struct checkpoint *c, struct report *r);

#endif
