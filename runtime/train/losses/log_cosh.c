/* log(cosh(x - t)); the mean over the outputs of a row. */
#include "train/losses/elementwise.h"
#include <math.h>

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double d = x - t, far = fabs(d);

    (void)settings;
    *slope = tanh(d);
    return far + log1p(exp(-2 * far)) - log(2);
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "far = abs(x - t); loss = mean(far + log(1 + exp(-2 * far)) - 0.693147180559945309)";
}

const struct loss_def loss_log_cosh = {
    .row = { "log_cosh", "as Huber's, without an edge",
             (const struct spec_option[]){ SPEC_ALIAS_OF("logcosh"), { 0 } } },
    .labels = LABELS_NUMBERS,
    .spelled = spelled,
    .rows = rows,
};
