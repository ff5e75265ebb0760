/* -log q of the class that a sample has, q the softmax of the logits. */
#include "train/losses/crossentropy.h"
#include <math.h>

struct settings {
    bool from_logits;
    double ignore_class;
};

static bool skips(const struct output_row *r, const void *settings)
{
    return (double)r->label == ((const struct settings *)settings)->ignore_class;
}

/* Other than those of the categorical one, probabilities are clipped first and renormalised then, as in Keras. With
 * S = sum of q, L = log S - log q: dL/dp_i = 1 / S - (i is the label) / q. */
static double of_probabilities(const struct loss_row *r)
{
    double sum = 0, label = 0;

    for (int64_t j = 0; j < r->row.n; j++) {
        double q = (double)r->row.x[j];

        clip_probability(&q);
        sum += q;
        label = j == r->row.label ? q : label;
    }
    for (int64_t j = 0; r->gradient && j < r->row.n; j++) {
        double q = (double)r->row.x[j];
        const bool outside = clip_probability(&q);

        r->gradient[j] = outside ? 0 : (float)((1 / sum - (j == r->row.label ? 1 / q : 0)) * r->scale);
    }
    return log(sum) - log(label);
}

static double rows(const struct loss_row *r)
{
    return r->row.logits ? categorical_rows(r, 0) : of_probabilities(r);
}

static const char *guess(const struct loss_clues *c)
{
    return c->label_classes ? categorical_guess(c) : NULL;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    return logits ? "loss = -sum(t * log_softmax(x))"
                  : "q = min(max(x, 1e-7), 1 - 1e-7); loss = log(sum(q)) - log(sum(t * q))";
}

const struct loss_def loss_sparse_categorical_crossentropy = {
    .row = { "sparse_categorical_crossentropy", "as categorical, labels are class numbers",
             (const struct spec_option[]){ FROM_LOGITS(struct settings),
                                           { SPEC_FIELD(struct settings, ignore_class), "a label that does not count",
                                             SPEC_WHOLE, .low = -1e6, .high = 1e6, .absent = SPEC_UNSAID },
                                           { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_CLASSES,
    .activation = ACTIVATION_SOFTMAX,
    .guess = guess,
    .along_classes = true,
    .skips = skips,
    .spelled = spelled,
    .rows = rows,
};
