/* max(0, 1 - t x); the mean over the outputs of a row. A label of 0 is taken for -1. (Keras does so where all labels of a
 * batch are 0 or 1, so that what a sample costs depends on the others.) */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double side = t == 0 ? -1 : t, short_of = 1 - side * x;

    (void)settings;
    *slope = short_of > 0 ? -side : 0;
    return short_of > 0 || isnan(short_of) ? short_of : 0;
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "loss = mean(max(1 - where(abs(t) > 0, t, -1) * x, 0))";
}

const struct loss_def loss_hinge = {
    .row = { "hinge", "a margin; labels are 1 and -1, or 1 and 0", NULL },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
