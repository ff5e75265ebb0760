/* max(0, 1 - t x)^2; the mean over the outputs of a row. A label of 0 is taken for -1. (Keras does so where all labels of a
 * batch are 0 or 1, so that what a sample costs depends on the others.) */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double side = t == 0 ? -1 : t, short_of = 1 - side * x;

    (void)settings;
    *slope = short_of > 0 ? -2 * side * short_of : 0;
    return short_of > 0 || isnan(short_of) ? short_of * short_of : 0;
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "short = max(1 - where(abs(t) > 0, t, -1) * x, 0); loss = mean(short * short)";
}

const struct loss_def loss_squared_hinge = {
    .row = { "squared_hinge", "as hinge, what is far off counts more", NULL },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
