/* Of the outputs that are taken for 1 the part whose label is not 0. */
#include "train/metrics/positives.h"
#include <math.h>

static double finish(const struct metric_sums *s)
{
    return metric_ratio(s->at[RIGHT], s->at[TAKEN]);
}

const struct metric_def metric_precision = {
    .row = { "precision", "of what is taken for 1 the part that is",
             (const struct spec_option[]){ POSITIVES_OPTIONS, { 0 } } },
    .settings_size = sizeof(struct positives),
    .size = positives_size,
    .count = positives_count,
    .finish = finish,
};
