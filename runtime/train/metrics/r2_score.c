/* 1 - (sum of (t - x)^2) / (sum of (t - mean of t)^2), of each output of a row, and what is made of all of them. */
#include "train/metric.h"
#include <math.h>

enum aggregation { UNIFORM, WEIGHTED };

struct settings {
    double class_aggregation, num_regressors;
};

/* Of each output: how many, their mean, and the squares of what they are off it. Sums of squares would cancel where the
 * labels are far from 0 for how much they differ, and would make a variance of labels that are all the same. */
enum { COUNT, MEAN, SPREAD, ERRORS, SUMS };

static int64_t size(const void *settings, int64_t width)
{
    (void)settings;
    return SUMS * width;
}

static void count(const struct output_row *r, const void *settings, double *sums)
{
    (void)settings;
    for (int64_t j = 0; j < r->n; j++) {
        double *at = sums + SUMS * j;
        const double t = row_target(r, j), d = (double)r->x[j] - t, off = t - at[MEAN];

        at[MEAN] += off / ++at[COUNT];
        at[SPREAD] += off * (t - at[MEAN]);
        at[ERRORS] += d * d;
    }
}

static void merge(double *sums, const double *more, int64_t width)
{
    for (int64_t j = 0; j < width; j++) {
        double *at = sums + SUMS * j;
        const double *b = more + SUMS * j, off = b[MEAN] - at[MEAN], count = at[COUNT] + b[COUNT];

        if (!b[COUNT])
            continue;
        at[SPREAD] += b[SPREAD] + off * off * at[COUNT] * (b[COUNT] / count);
        at[MEAN] += off * (b[COUNT] / count);
        at[COUNT] = count;
        at[ERRORS] += b[ERRORS];
    }
}

/* For p regressors; Keras counts every output of every row for a sample. */
static double adjusted(double r2, double p, const struct metric_sums *m)
{
    const double n = (double)m->rows * (double)m->width;

    return p > 0 && p < n - 1 ? 1 - (1 - r2) * (n - 1) / (n - p - 1) : r2;
}

static double finish(const struct metric_sums *m)
{
    const struct settings *s = m->settings;
    double sum = 0, weights = 0;

    for (int64_t j = 0; j < m->width; j++) {
        const double *at = m->at + SUMS * j, total = at[SPREAD];
        const double score = 1 - at[ERRORS] / total, weight = s->class_aggregation == WEIGHTED ? total : 1;

        sum += isinf(score) ? 0 : weight * score;
        weights += weight;
    }
    return adjusted(sum / weights, s->num_regressors, m);
}

static const char *const aggregations[] = { "uniform_average", "variance_weighted_average", NULL };

const struct metric_def metric_r2_score = {
    .row = { "r2_score", "the part of the labels' variance that is told",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, class_aggregation), "of several outputs", SPEC_WORD,
                   .words = aggregations },
                 { SPEC_FIELD(struct settings, num_regressors), "that it is adjusted for", SPEC_WHOLE, .high = 1e6 },
                 SPEC_ALIAS_OF("r2"),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .size = size,
    .count = count,
    .merge = merge,
    .finish = finish,
};
