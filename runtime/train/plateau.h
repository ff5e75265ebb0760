/* A learning rate that becomes less where a measure no longer improves: Keras' ReduceLROnPlateau. */
#ifndef KILN_TRAIN_PLATEAU_H
#define KILN_TRAIN_PLATEAU_H

#include "base/spec.h"
#include "train/measure.h"

struct reduce_on_plateau {
    bool on;
    struct measure_name measure;
    double factor;    /* that the rate is multiplied by */
    double patience;  /* epochs without improvement before it is */
    double min_delta; /* less than that is no improvement */
    double cooldown;  /* epochs after it that do not count */
    double min_lr;    /* never below that */
};

/* All that it remembers from epoch to epoch, but for the trainer's learning rate. */
struct plateau {
    double best;
    int64_t wait, cooldown; /* epochs without improvement; that are still not to count */
};

/* "val_loss", "val_loss:factor=0.5,patience=3"; an error where the trainer has a schedule. */
bool plateau_parse(struct reduce_on_plateau *out, const struct trainer *t, const char *spec, struct report *r);
/* The options, in one row, which has no name of its own. */
spec_table plateau_table;

void plateau_begin(struct plateau *p, const struct reduce_on_plateau *o, const struct trainer *t);
/* What the measure is after an epoch; may make the trainer's learning rate less. */
void plateau_epoch(struct plateau *p, const struct reduce_on_plateau *o, struct trainer *t, double measured);

#endif
