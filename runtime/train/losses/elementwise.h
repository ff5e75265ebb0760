/* What losses share that compare output by output. */
#ifndef KILN_TRAIN_LOSSES_ELEMENTWISE_H
#define KILN_TRAIN_LOSSES_ELEMENTWISE_H

#include "train/loss.h"

/* Keras' epsilon: what is divided by, or taken the logarithm of, is not below it. */
#define LOSS_EPSILON 1e-7

/* The loss of an output x whose label is t; *slope is its derivative by x. */
typedef double loss_of_output(double x, double t, const void *settings, double *slope);

/* The mean over the outputs of a row. */
static inline double mean_of_outputs(const struct loss_row *r, loss_of_output *of)
{
    const double each = 1 / (double)r->row.n;
    double loss = 0;

    for (int64_t j = 0; j < r->row.n; j++) {
        double slope;

        loss += of((double)r->row.x[j], row_target(&r->row, j), r->settings, &slope);
        if (r->gradient)
            r->gradient[j] = (float)(slope * r->scale * each);
    }
    return loss * each;
}

#endif
