/* (x - t)^2; the mean over the outputs of a row. */
#include "train/losses/elementwise.h"

static double of_output(double x, double t, const void *settings, double *slope)
{
    const double d = x - t;

    (void)settings;
    *slope = 2 * d;
    return d * d;
}

static double rows(const struct loss_row *r)
{
    return mean_of_outputs(r, of_output);
}

static const char *guess(const struct loss_clues *c)
{
    return c->activation || c->named_logits || c->one_for_each_class ? NULL
                                                                     : "nothing tells that the output is a probability";
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "d = x - t; loss = mean(d * d)";
}

const struct loss_def loss_mean_squared_error = {
    .row = { "mean_squared_error", "labels are numbers", (const struct spec_option[]){ SPEC_ALIAS_OF("mse"), { 0 } } },
    .labels = LABELS_NUMBERS,
    .guess = guess,
    .spelled = spelled,
    .rows = rows,
};
