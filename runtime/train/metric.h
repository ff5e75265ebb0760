/* Metrics, as Keras defines them (https://keras.io/api/metrics/): what people are told of beside the loss. Each is a
 * file in metrics/ and a line in its meson.build: nothing else knows which there are. */
#ifndef KILN_TRAIN_METRIC_H
#define KILN_TRAIN_METRIC_H

#include "train/loss.h"

/* The mean of what the rows count: all of them are counted in every step, told of is what says something. */
struct metric_def {
    struct spec_row row;
    /* Does it say something of this loss and these data? `classes`: their labels are classes. */
    bool (*applies)(const struct loss_def *l, bool classes);
    /* What a row counts, whatever the form of its label. Its outputs are what the loss reads. */
    double (*count)(const struct output_row *r);
    bool lower_is_better;
};

extern const struct metric_def *const metric_registry[]; /* ended by NULL; made from metrics/meson.build */

spec_table metric_table;

/* A node that gives the sums over all rows, one for each metric of the table: double. */
struct value *metrics_emit(struct emitter *e, const struct loss *l, struct value *at, struct value *labels);

#endif
