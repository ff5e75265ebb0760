/* -(x . t) / (|x| |t|) of a row; a length below epsilon is taken for that. */
#include "train/losses/elementwise.h"
#include <math.h>

static double rows(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    double xx = 0, tt = 0, xt = 0, of_x, of_t, cosine;

    for (int64_t j = 0; j < row->n; j++) {
        const double x = (double)row->x[j], t = row_target(row, j);

        xx += x * x;
        tt += t * t;
        xt += x * t;
    }
    of_x = fmax(sqrt(xx), LOSS_EPSILON);
    of_t = fmax(sqrt(tt), LOSS_EPSILON);
    cosine = xt / (of_x * of_t);
    for (int64_t j = 0; r->gradient && j < row->n; j++) {
        const double along = of_x > LOSS_EPSILON ? cosine * (double)row->x[j] / of_x : 0;

        r->gradient[j] = (float)((along - row_target(row, j) / of_t) / of_x * r->scale);
    }
    return isnan(xx) ? xx : -cosine;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    (void)logits;
    return "of_x = sqrt(max(sum(x * x), 1e-14)); of_t = sqrt(max(sum(t * t), 1e-14));"
           "loss = -sum(x * t) / (of_x * of_t)";
}

const struct loss_def loss_cosine_similarity = {
    .row = { "cosine_similarity", "the direction of a row, whatever its length; -1 is the label's", NULL },
    .labels = LABELS_NUMBERS,
    .along_classes = true,
    .spelled = spelled,
    .rows = rows,
};
