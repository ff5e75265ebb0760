/* x - t log x; the mean over the outputs of a row. */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    (void)settings;
    *slope = 1 - t / (x + LOSS_EPSILON);
    return x - t * log(x + LOSS_EPSILON);
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

const struct loss_def loss_poisson = {
    .row = { "poisson", "counts, of which the output is the mean", NULL },
    .labels = LABELS_NUMBERS,
    .rows = rows,
};
