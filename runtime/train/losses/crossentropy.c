#include "train/losses/crossentropy.h"
#include <math.h>

#define CLIP 1e-7

bool clip_probability(double *q)
{
    const bool outside = *q < CLIP || *q > 1 - CLIP;

    *q = *q < CLIP ? CLIP : *q > 1 - CLIP ? 1 - CLIP : *q;
    return outside;
}

static double of_logits(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    double top = -INFINITY, sum = 0, loss = 0, weight = 0, log_sum;

    for (int64_t j = 0; j < row->n; j++)
        top = (double)row->x[j] > top || isnan(row->x[j]) ? (double)row->x[j] : top;
    for (int64_t j = 0; j < row->n; j++)
        sum += exp((double)row->x[j] - top);
    log_sum = log(sum);
    for (int64_t j = 0; j < row->n; j++) {
        const double t = row_target(row, j);

        weight += t;
        if (t != 0)
            loss -= t * ((double)row->x[j] - top - log_sum);
    }
    for (int64_t j = 0; r->gradient && j < row->n; j++)
        r->gradient[j] = (float)((weight * exp((double)row->x[j] - top) / sum - row_target(row, j)) * r->scale);
    return loss;
}

/* With q = p / S, L = -sum t log clip(q): dL/dp_i = (dL/dq_i - sum_j dL/dq_j q_j) / S. */
static double of_probabilities(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    double sum = 0, loss = 0, back = 0;

    for (int64_t j = 0; j < row->n; j++)
        sum += (double)row->x[j];
    for (int64_t j = 0; j < row->n; j++) {
        double q = (double)row->x[j] / sum;
        const bool outside = clip_probability(&q);

        loss -= row_target(row, j) * log(q);
        back -= outside ? 0 : row_target(row, j);
    }
    for (int64_t j = 0; r->gradient && j < row->n; j++) {
        double q = (double)row->x[j] / sum;
        const bool outside = clip_probability(&q);

        r->gradient[j] = (float)(((outside ? 0 : -row_target(row, j) / q) - back) / sum * r->scale);
    }
    return loss;
}

double categorical_rows(const struct loss_row *r)
{
    return r->row.logits ? of_logits(r) : of_probabilities(r);
}

const char *categorical_guess(const struct loss_clues *c)
{
    return c->activation == ACTIVATION_SOFTMAX ? "the model ends in Softmax"
           : c->named_logits && c->width > 1   ? "the output's name says logits"
           : c->one_for_each_class             ? "the labels are classes"
                                               : NULL;
}
