/* -(sum of t log q) over the classes, q the softmax of the logits; t need not sum to 1. */
#include "train/losses/crossentropy.h"

static double rows(const struct loss_row *r)
{
    return categorical_rows(r, ((const struct crossentropy *)r->settings)->label_smoothing);
}

static const char *guess(const struct loss_clues *c)
{
    return c->label_classes ? NULL : categorical_guess(c);
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    return logits ? "loss = -sum(t * log_softmax(x))"
                  : "q = min(max(x / sum(x), 1e-7), 1 - 1e-7); loss = -sum(t * log(q))";
}

const struct loss_def loss_categorical_crossentropy = {
    .row = { "categorical_crossentropy", "outputs and labels are distributions over classes",
             (const struct spec_option[]){
                 FROM_LOGITS(struct crossentropy), LABEL_SMOOTHING(struct crossentropy), { 0 } } },
    .settings_size = sizeof(struct crossentropy),
    .labels = LABELS_PROBABILITIES,
    .activation = ACTIVATION_SOFTMAX,
    .guess = guess,
    .along_classes = true,
    .spelled = spelled,
    .rows = rows,
};
