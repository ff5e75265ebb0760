/* |x - t|; the mean over the outputs of a row. */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double d = x - t;

    (void)settings;
    *slope = (d > 0) - (d < 0);
    return fabs(d);
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "loss = mean(abs(x - t))";
}

const struct loss_def loss_mean_absolute_error = {
    .row = { "mean_absolute_error", "numbers, of which some are far off",
             (const struct spec_option[]){ SPEC_ALIAS_OF("mae"), { 0 } } },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
