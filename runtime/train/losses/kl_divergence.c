/* Sum of t log(t / x) over the classes, both between epsilon and 1. */
#include "train/losses/elementwise.h"
#include <math.h>

static double clipped(double p)
{
    return p < LOSS_EPSILON ? LOSS_EPSILON : p > 1 ? 1 : p;
}

static double rows(const struct loss_row *r)
{
    double loss = 0;

    for (int64_t j = 0; j < r->row.n; j++) {
        const double x = (double)r->row.x[j], q = clipped(x), t = clipped(row_target(&r->row, j));

        loss += t * log(t / q);
        if (r->gradient)
            r->gradient[j] = x < LOSS_EPSILON || x > 1 ? 0 : (float)(-t / q * r->scale);
    }
    return loss;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "p = min(max(t, 1e-7), 1); q = min(max(x, 1e-7), 1); loss = sum(p * log(p / q))";
}

const struct loss_def loss_kl_divergence = {
    .row = { "kl_divergence", "how far a distribution is from the label's (Kullback and Leibler)",
             (const struct spec_option[]){
                 SPEC_ALIAS_OF("kld"), SPEC_ALIAS_OF("kullback_leibler_divergence"), { 0 } } },
    .labels = LABELS_PROBABILITIES,
    .along_classes = true,
    .spelled = spelled,
    .rows = rows,
};
