/* (x - t)^2; the mean over the outputs of a row. */
#include "train/loss.h"

static double rows(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    const double each = 1 / (double)row->n;
    double loss = 0;

    for (int64_t j = 0; j < row->n; j++) {
        const double d = (double)row->x[j] - row_target(row, j);

        loss += d * d;
        if (r->gradient)
            r->gradient[j] = (float)(2 * d * r->scale * each);
    }
    return loss * each;
}

static const char *guess(const struct loss_clues *c)
{
    return c->activation || c->named_logits || c->one_for_each_class ? NULL
                                                                     : "nothing tells that the output is a probability";
}

const struct loss_def loss_mean_squared_error = {
    .row = { "mean_squared_error", "labels are numbers", NULL },
    .labels = LABELS_NUMBERS,
    .guess = guess,
    .rows = rows,
};
