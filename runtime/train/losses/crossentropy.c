#include "train/losses/crossentropy.h"
#include <math.h>

#define CLIP 1e-7

bool clip_probability(double *q)
{
    const bool outside = *q < CLIP || *q > 1 - CLIP;

    *q = *q < CLIP ? CLIP : *q > 1 - CLIP ? 1 - CLIP : *q;
    return outside;
}

double binary_crossentropy_of(double z, double t, bool logits, double *slope)
{
    double q = z;
    bool outside;

    if (logits) {
        *slope = 1 / (1 + exp(-z)) - t;
        return isnan(z) ? z : fmax(z, 0) - z * t + log1p(exp(-fabs(z)));
    }
    outside = clip_probability(&q);
    *slope = outside ? 0 : (q - t) / (q * (1 - q));
    return -(t * log(q) + (1 - t) * log(1 - q));
}

struct softmax_sum softmax_sum_of(const struct output_row *row)
{
    struct softmax_sum s = { .top = -INFINITY };

    for (int64_t j = 0; j < row->n; j++)
        s.top = (double)row->x[j] > s.top || isnan(row->x[j]) ? (double)row->x[j] : s.top;
    for (int64_t j = 0; j < row->n; j++)
        s.sum += exp((double)row->x[j] - s.top);
    return s;
}

static double of_logits(const struct loss_row *r, double smoothing)
{
    const struct output_row *row = &r->row;
    const struct softmax_sum s = softmax_sum_of(row);
    const double log_sum = log(s.sum), classes = (double)row->n;
    double loss = 0, weight = 0;

    for (int64_t j = 0; j < row->n; j++) {
        const double t = smooth_target(row, j, smoothing, classes);

        weight += t;
        if (t != 0)
            loss -= t * ((double)row->x[j] - s.top - log_sum);
    }
    for (int64_t j = 0; r->gradient && j < row->n; j++)
        r->gradient[j] =
            (float)((weight * exp((double)row->x[j] - s.top) / s.sum - smooth_target(row, j, smoothing, classes)) *
                    r->scale);
    return loss;
}

/* With q = p / S, L = -sum t log clip(q): dL/dp_i = (dL/dq_i - sum_j dL/dq_j q_j) / S. */
static double of_probabilities(const struct loss_row *r, double smoothing)
{
    const struct output_row *row = &r->row;
    const double classes = (double)row->n;
    double sum = 0, loss = 0, back = 0;

    for (int64_t j = 0; j < row->n; j++)
        sum += (double)row->x[j];
    for (int64_t j = 0; j < row->n; j++) {
        double q = (double)row->x[j] / sum;
        const bool outside = clip_probability(&q);
        const double t = smooth_target(row, j, smoothing, classes);

        loss -= t * log(q);
        back -= outside ? 0 : t;
    }
    for (int64_t j = 0; r->gradient && j < row->n; j++) {
        double q = (double)row->x[j] / sum;
        const bool outside = clip_probability(&q);

        r->gradient[j] =
            (float)(((outside ? 0 : -smooth_target(row, j, smoothing, classes) / q) - back) / sum * r->scale);
    }
    return loss;
}

double categorical_rows(const struct loss_row *r, double smoothing)
{
    return (r->row.logits ? of_logits : of_probabilities)(r, smoothing);
}

const char *categorical_guess(const struct loss_clues *c)
{
    return c->activation == ACTIVATION_SOFTMAX ? "the model ends in Softmax"
           : c->named_logits && c->width > 1   ? "the output's name says logits"
           : c->one_for_each_class             ? "the labels are classes"
                                               : NULL;
}
