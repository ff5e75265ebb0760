#include "train/metrics/positives.h"
#include <math.h>

int64_t positives_size(const void *settings, int64_t width)
{
    (void)settings;
    (void)width;
    return POSITIVES;
}

static double threshold_of(const struct positives *s)
{
    return !isnan(s->thresholds) ? s->thresholds : isnan(s->top_k) ? .5 : -INFINITY;
}

/* Is it above the threshold, and among the largest; of equal ones the first are. */
static bool is_taken(const struct output_row *r, int64_t j, const struct positives *s)
{
    double above = 0;

    if (!(r->x[j] > (float)threshold_of(s)))
        return false;
    for (int64_t k = 0; !isnan(s->top_k) && k < r->n; k++)
        above += r->x[k] > r->x[j] || (r->x[k] == r->x[j] && k < j);
    return !(above >= s->top_k);
}

/* How many of a row are taken: as many as are above the threshold, at most top_k. */
static double count_taken(const struct output_row *r, const struct positives *s)
{
    const float threshold = (float)threshold_of(s);
    double taken = 0;

    for (int64_t j = 0; j < r->n; j++)
        taken += r->x[j] > threshold;
    return taken > s->top_k ? s->top_k : taken;
}

void positives_count(const struct output_row *r, const void *settings, double *sums)
{
    const struct positives *s = settings;
    const bool one = !isnan(s->class_id);
    const int64_t from = one ? (int64_t)s->class_id : 0, to = one ? from + 1 : r->n;

    for (int64_t j = from; j < to; j++)
        if (row_target(r, j) != 0) {
            sums[LABELLED]++;
            sums[RIGHT] += is_taken(r, j, s);
        }
    sums[TAKEN] += one ? (double)is_taken(r, from, s) : count_taken(r, s);
}
