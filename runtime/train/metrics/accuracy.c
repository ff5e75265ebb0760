/* How many rows are right. A row of 1 is right where output and label are on the same side of 0.5; any other where the
 * largest output, the first of equal ones, is the label's. */
#include "train/metric.h"

static bool applies(const struct loss_def *l, bool classes)
{
    return l->labels < LABELS_NUMBERS || (classes && l->labels != LABELS_SEQUENCES);
}

static void count(const struct output_row *r, const void *settings, double *sums)
{
    (void)settings;
    *sums += row_predicted(r) == row_class(r);
}

const struct metric_def metric_accuracy = {
    .row = { "accuracy", "the part of the samples that are right",
             (const struct spec_option[]){ SPEC_ALIAS_OF("acc"),
                                           SPEC_ALIAS_OF("categorical_accuracy"),
                                           SPEC_ALIAS_OF("sparse_categorical_accuracy"),
                                           { 0 } } },
    .applies = applies,
    .count = count,
    .of_logits = true,
};
