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

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "loss = mean(x - t * log(x + 1e-7))";
}

const struct loss_def loss_poisson = {
    .row = { "poisson", "counts, of which the output is the mean", NULL },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
