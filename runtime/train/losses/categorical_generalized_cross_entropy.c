/* (1 - p^q) / q, p the probability of the class that a sample has (Zhang and Sabuncu, arXiv:1805.07836). */
#include "train/losses/elementwise.h"
#include <math.h>

struct settings {
    double q;
};

static double rows(const struct loss_row *r)
{
    const double q = ((const struct settings *)r->settings)->q, p = (double)r->row.x[r->row.label];

    for (int64_t j = 0; r->gradient && j < r->row.n; j++)
        r->gradient[j] = j == r->row.label ? (float)(-pow(p, q - 1) * r->scale) : 0;
    return (1 - pow(p, q)) / q;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "loss = (1 - pow(sum(t * x), q)) / q";
}

const struct loss_def loss_categorical_generalized_cross_entropy = {
    .row = { "categorical_generalized_cross_entropy", "for class numbers that may be wrong",
             (const struct spec_option[]){ { SPEC_FIELD(struct settings, q), "from cross-entropy to absolute error",
                                             .low = 1e-3, .high = 1, .fallback = .5 },
                                           { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_CLASSES,
    .along_classes = true,
    .spelled = spelled,
    .rows = rows,
};
