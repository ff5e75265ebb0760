/* How many rows have fewer than k outputs above that of their class. */
#include "train/metric.h"

struct settings {
    double k;
};

static void count(const struct output_row *r, const void *settings, double *sums)
{
    const int64_t label = row_class(r);
    double above = 0;

    if (r->n == 1) {
        *sums += row_predicted(r) == label;
        return;
    }
    for (int64_t j = 0; j < r->n; j++)
        above += r->x[j] > r->x[label];
    *sums += row_is_numbers(r) && above < ((const struct settings *)settings)->k;
}

const struct metric_def metric_top_k_categorical_accuracy = {
    .row = { "top_k_categorical_accuracy", "the part of the samples whose class is among the k likeliest",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, k), "how many", SPEC_WHOLE, .low = 1, .high = 1e6, .fallback = 5 },
                 SPEC_ALIAS_OF("sparse_top_k_categorical_accuracy"),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .count = count,
    .of_logits = true,
};
