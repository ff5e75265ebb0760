/* (log(1 + x) - log(1 + t))^2, of what is above 0; the mean over the outputs of a row. */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double d = log1p(fmax(x, LOSS_EPSILON)) - log1p(fmax(t, LOSS_EPSILON));

    (void)settings;
    *slope = x < LOSS_EPSILON ? 0 : 2 * d / (1 + x);
    return isnan(x) ? x : d * d;
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "d = log(1 + max(x, 1e-7)) - log(1 + max(t, 1e-7)); loss = mean(d * d)";
}

const struct loss_def loss_mean_squared_logarithmic_error = {
    .row = { "mean_squared_logarithmic_error", "numbers from 0 on, by their ratio",
             (const struct spec_option[]){ SPEC_ALIAS_OF("msle"), { 0 } } },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
