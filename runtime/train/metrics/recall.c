/* Of the outputs whose label is not 0 the part that is taken for 1. */
#include "train/metrics/positives.h"
#include <math.h>

static double finish(const struct metric_sums *s)
{
    return metric_ratio(s->at[RIGHT], s->at[LABELLED]);
}

const struct metric_def metric_recall = {
    .row = { "recall", "of what is 1 the part that is taken for it",
             (const struct spec_option[]){ POSITIVES_OPTIONS, { 0 } } },
    .settings_size = sizeof(struct positives),
    .size = positives_size,
    .count = positives_count,
    .finish = finish,
};
