/* -log q of the class that a sample has, q the softmax of the logits. */
#include "train/losses/crossentropy.h"

static const char *guess(const struct loss_clues *c)
{
    return c->label_classes ? categorical_guess(c) : NULL;
}

const struct loss_def loss_sparse_categorical_crossentropy = {
    .row = { "sparse_categorical_crossentropy", "as categorical, labels are class numbers",
             (const struct spec_option[]){ FROM_LOGITS(struct crossentropy), { 0 } } },
    .settings_size = sizeof(struct crossentropy),
    .labels = LABELS_CLASSES,
    .activation = ACTIVATION_SOFTMAX,
    .guess = guess,
    .rows = categorical_rows,
};
