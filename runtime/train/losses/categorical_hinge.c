/* max(0, 1 + max((1 - t) x) - sum of t x), over the classes. */
#include "train/losses/elementwise.h"
#include <math.h>

/* Of equal largest ones each has its part of the gradient, as in TensorFlow. */
static double rows(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    double right = 0, wrong = -INFINITY, loss;
    int64_t equal = 0;

    for (int64_t j = 0; j < row->n; j++) {
        const double t = row_target(row, j), x = (double)row->x[j], other = (1 - t) * x;

        right += t * x;
        equal = other > wrong ? 1 : equal + (other == wrong);
        wrong = other > wrong ? other : wrong;
    }
    loss = 1 + wrong - right;
    for (int64_t j = 0; r->gradient && j < row->n; j++) {
        const double t = row_target(row, j), largest = (1 - t) * (double)row->x[j] == wrong;

        r->gradient[j] = loss > 0 ? (float)(((1 - t) * largest / (double)equal - t) * r->scale) : 0;
    }
    return loss > 0 || isnan(right) ? loss : 0;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "loss = max(1 + largest((1 - t) * x) - sum(t * x), 0)";
}

const struct loss_def loss_categorical_hinge = {
    .row = { "categorical_hinge", "a margin between the class and all others", NULL },
    .labels = LABELS_PROBABILITIES,
    .along_classes = true,
    .spelled = spelled,
    .rows = rows,
};
