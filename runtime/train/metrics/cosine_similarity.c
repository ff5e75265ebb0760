/* The mean of (x . t) / (|x| |t|) over the rows: other than the loss of that name, which is least where they are alike. */
#include "train/losses/registry.h"
#include "train/metric.h"

static void count(const struct output_row *r, const void *settings, double *sums)
{
    const struct loss_row row = { .row = *r, .settings = settings };

    *sums -= loss_cosine_similarity.rows(&row);
}

const struct metric_def metric_cosine_similarity = {
    .row = { "cosine_similarity", "1 where a row has the direction of its label", NULL },
    .count = count,
};
