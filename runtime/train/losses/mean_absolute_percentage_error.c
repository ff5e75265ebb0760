/* 100 |x - t| / |t|; the mean over the outputs of a row. */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double of = fmax(fabs(t), LOSS_EPSILON), d = x - t;

    (void)settings;
    *slope = 100 * ((d > 0) - (d < 0)) / of;
    return 100 * fabs(d) / of;
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "loss = mean(100 * abs(x - t) / max(abs(t), 1e-7))";
}

const struct loss_def loss_mean_absolute_percentage_error = {
    .row = { "mean_absolute_percentage_error", "numbers, of which errors count by their size",
             (const struct spec_option[]){ SPEC_ALIAS_OF("mape"), { 0 } } },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
