/* -(t log q + (1 - t) log(1 - q)), q the sigmoid of a logit; the mean over the outputs of a row. */
#include "train/losses/crossentropy.h"

static double rows(const struct loss_row *r)
{
    const struct crossentropy *s = r->settings;
    const struct output_row *row = &r->row;
    const double each = 1 / (double)row->n;
    double loss = 0;

    for (int64_t j = 0; j < row->n; j++) {
        double slope;

        loss += binary_crossentropy_of((double)row->x[j], smooth_target(row, j, s->label_smoothing, 2), row->logits,
                                       &slope);
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

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    return logits ? "loss = mean(softplus(x) - x * t)"
                  : "q = min(max(x, 1e-7), 1 - 1e-7); loss = -mean(t * log(q) + (1 - t) * log(1 - q))";
}

const struct loss_def loss_binary_crossentropy = {
    .row = { "binary_crossentropy", "each output is a probability by itself",
             (const struct spec_option[]){ FROM_LOGITS(struct crossentropy),
                                           LABEL_SMOOTHING(struct crossentropy),
                                           SPEC_ALIAS_OF("bce"),
                                           { 0 } } },
    .settings_size = sizeof(struct crossentropy),
    .labels = LABELS_PROBABILITIES,
    .activation = ACTIVATION_SIGMOID,
    .guess = guess,
    .spelled = spelled,
    .rows = rows,
};
