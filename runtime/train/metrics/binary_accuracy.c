/* How many outputs, each by itself, are on the side of the threshold that their label is. */
#include "train/metric.h"

struct settings {
    double threshold;
};

static void count(const struct output_row *r, const void *settings, double *sums)
{
    const float threshold = (float)((const struct settings *)settings)->threshold;
    double right = 0;

    for (int64_t j = 0; j < r->n; j++)
        right += (double)(r->x[j] > threshold) == row_target(r, j);
    *sums += right / (double)r->n;
}

const struct metric_def metric_binary_accuracy = {
    .row = { "binary_accuracy", "the part of the outputs that are right, each by itself",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, threshold), "above it is 1", .high = 1, .fallback = .5 }, { 0 } } },
    .settings_size = sizeof(struct settings),
    .count = count,
};
