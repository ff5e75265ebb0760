/* What a model is measured by over a data set (trainer->measures): the loss, then the metrics. */
#ifndef KILN_TRAIN_MEASURE_H
#define KILN_TRAIN_MEASURE_H

#include "data/dataset.h"
#include "train/trainer.h"

/* Names them: "loss", "accuracy"; of several targets "loss", then "age_loss", "age_accuracy" of each. No two have one name,
 * nor one that is another's with "val_" before it. */
bool measures_name(struct trainer *t, struct report *r);

/* One of the numbers that an epoch has, as people name it: "loss", "accuracy", "val_loss" ... */
struct measure_name {
    size_t which;    /* of trainer->measures */
    bool validation; /* "val_" */
};

bool measure_parse(struct measure_name *out, const struct trainer *t, const char *name, struct report *r);
/* Does it say something of these data? */
bool measure_applies(const struct trainer *t, const struct dataset *data, size_t which);
bool measure_lower_is_better(const struct trainer *t, const struct measure_name *m);

#endif
