/* -(t log q + (1 - t) log(1 - q)), q the sigmoid of a logit; the mean over the outputs of a row. */
#include "train/losses/crossentropy.h"
#include <math.h>

static double rows(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    const double each = 1 / (double)row->n;
    double loss = 0;

    for (int64_t j = 0; j < row->n; j++) {
        const double z = (double)row->x[j], t = row_target(row, j);
        double q = z, slope;

        if (row->logits) {
            loss += fmax(z, 0) - z * t + log1p(exp(-fabs(z)));
            slope = 1 / (1 + exp(-z)) - t;
        } else {
            const bool outside = clip_probability(&q);

            loss -= t * log(q) + (1 - t) * log(1 - q);
            slope = outside ? 0 : (q - t) / (q * (1 - q));
        }
        if (isnan(z))
            loss = z;
        if (r->gradient)
            r->gradient[j] = (float)(slope * r->scale * each);
    }
    return loss * each;
}

static const char *guess(const struct loss_clues *c)
{
    return c->activation == ACTIVATION_SIGMOID ? "the model ends in Sigmoid"
           : c->named_logits && c->width <= 1  ? "the output's name says logits"
                                               : NULL;
}

const struct loss_def loss_binary_crossentropy = {
    .row = { "binary_crossentropy", "each output is a probability by itself",
             (const struct spec_option[]){ FROM_LOGITS(struct crossentropy), { 0 } } },
    .settings_size = sizeof(struct crossentropy),
    .labels = LABELS_PROBABILITIES,
    .activation = ACTIVATION_SIGMOID,
    .guess = guess,
    .rows = rows,
};
