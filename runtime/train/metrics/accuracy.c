/* How many rows are right. A row of 1 is right where output and label are on the same side of 0.5; any other where the
 * largest output, the first of equal ones, is the label's. */
#include "train/metric.h"

static bool applies(const struct loss_def *l, bool classes)
{
    return l->labels != LABELS_NUMBERS || classes;
}

static double count(const struct output_row *r)
{
    int64_t best = 0, label = 0;

    if (r->n == 1)
        return (r->x[0] > (r->logits ? 0 : .5f)) == (row_target(r, 0) > .5);
    for (int64_t j = 1; j < r->n; j++) {
        best = r->x[j] > r->x[best] ? j : best;
        label = r->y && r->y[j] > r->y[label] ? j : label;
    }
    return best == (r->y ? label : r->label);
}

const struct metric_def metric_accuracy = {
    .row = { "accuracy", "the part of the samples that are right", NULL },
    .applies = applies,
    .count = count,
};
