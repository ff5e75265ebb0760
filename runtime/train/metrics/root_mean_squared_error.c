/* The root of the mean of (x - t)^2 over all outputs. */
#include "train/metric.h"
#include <math.h>

static void count(const struct output_row *r, const void *settings, double *sums)
{
    double sum = 0;

    (void)settings;
    for (int64_t j = 0; j < r->n; j++) {
        const double d = (double)r->x[j] - row_target(r, j);

        sum += d * d;
    }
    *sums += sum / (double)r->n;
}

static double finish(const struct metric_sums *s)
{
    return sqrt(*s->at / (double)s->rows);
}

const struct metric_def metric_root_mean_squared_error = {
    .row = { "root_mean_squared_error", "how far off numbers are",
             (const struct spec_option[]){ SPEC_ALIAS_OF("rmse"), { 0 } } },
    .count = count,
    .finish = finish,
    .lower_is_better = true,
};
