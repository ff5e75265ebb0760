/* (x - t)^2 / 2 up to delta, a line from there on; the mean over the outputs of a row. */
#include "train/losses/elementwise.h"
#include <math.h>

struct settings {
    double delta;
};

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double delta = ((const struct settings *)settings)->delta, d = x - t;

    if (fabs(d) <= delta) {
        *slope = d;
        return d * d / 2;
    }
    *slope = d > 0 ? delta : -delta;
    return delta * fabs(d) - delta * delta / 2;
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "d = x - t; far = abs(d); loss = mean(where(far <= delta, d * d / 2, delta * far - delta * delta / 2))";
}

const struct loss_def loss_huber = {
    .row = { "huber", "as squared error near the label, as absolute error far off",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, delta), "where the line begins", .high = 1e30, .fallback = 1 },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
