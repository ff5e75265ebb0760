#include "data/normalizer.h"
#include "data/element.h"
#include <math.h>

const char *const normalization_names[NORMALIZATIONS] = { "none", "unit", "center", "standardize" };

/* Below this a feature is taken to be constant: dividing would only blow up what other sets have there. */
static const double least_deviation = 1e-7;

/* Sums of the samples, or of the squares of their distance from the mean; in double, because there are many. */
static void sum_up(double *sum, const struct dataset *d, const float *mean, float *sample, int64_t features)
{
    for (int64_t f = 0; f < features; f++)
        sum[f] = 0;
    for (int64_t i = 0; i < d->count; i++) {
        elements_to_float(d->x.dtype, d->x.data, i * features, features, sample);
        if (mean)
            for (int64_t f = 0; f < features; f++)
                sum[f] += ((double)sample[f] - (double)mean[f]) * ((double)sample[f] - (double)mean[f]);
        else
            for (int64_t f = 0; f < features; f++)
                sum[f] += (double)sample[f];
    }
}

static void fit(struct normalizer *n, const struct dataset *train, double *sum, float *sample)
{
    const double count = (double)train->count;

    sum_up(sum, train, NULL, sample, n->features);
    for (int64_t f = 0; f < n->features; f++)
        n->mean[f] = (float)(sum[f] / count);
    if (!n->deviation)
        return;
    sum_up(sum, train, n->mean, sample, n->features);
    for (int64_t f = 0; f < n->features; f++) {
        const double deviation = sqrt(sum[f] / count);

        n->deviation[f] = deviation < least_deviation ? 1 : (float)deviation;
    }
}

bool normalizer_fit(struct normalizer *n, enum normalization kind, const struct dataset *train, struct budget *b,
                    struct report *r)
{
    const struct tensor sample = dataset_sample(train);
    const size_t features = (size_t)tensor_count(&sample);
    double *sum;
    float *row;

    *n = (struct normalizer){ .kind = kind, .features = (int64_t)features, .budget = b };
    if (kind == NORMALIZE_NONE || kind == NORMALIZE_UNIT)
        return true;
    n->mean = budget_zalloc(b, features, sizeof(float), r);
    if (n->mean && kind == NORMALIZE_STANDARDIZE)
        n->deviation = budget_zalloc(b, features, sizeof(float), r);
    sum = budget_zalloc(b, features, sizeof *sum, r);
    row = budget_zalloc(b, features, sizeof *row, r);
    if (sum && row && n->mean && (n->deviation || kind == NORMALIZE_CENTER))
        fit(n, train, sum, row);
    else
        normalizer_release(n);
    budget_free(b, sum);
    budget_free(b, row);
    return n->mean != NULL;
}

void normalizer_release(struct normalizer *n)
{
    budget_free(n->budget, n->mean);
    budget_free(n->budget, n->deviation);
    n->mean = n->deviation = NULL;
}

void normalizer_apply(const struct normalizer *n, float *sample)
{
    switch (n->kind) {
    case NORMALIZE_UNIT:
        for (int64_t f = 0; f < n->features; f++)
            sample[f] /= 255;
        break;
    case NORMALIZE_CENTER:
        for (int64_t f = 0; f < n->features; f++)
            sample[f] -= n->mean[f];
        break;
    case NORMALIZE_STANDARDIZE:
        for (int64_t f = 0; f < n->features; f++)
            sample[f] = (sample[f] - n->mean[f]) / n->deviation[f];
        break;
    case NORMALIZE_NONE:
    case NORMALIZATIONS:
        break;
    }
}
