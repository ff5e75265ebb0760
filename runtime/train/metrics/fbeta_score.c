/* (1 + beta^2) p r / (beta^2 p + r) of precision p and recall r, of each class, and what is made of all of them. */
#include "train/metric.h"
#include <math.h>

#define EPSILON 1e-7 /* Keras' */

enum average { MACRO, MICRO, WEIGHTED };

struct settings {
    double average, beta, threshold;
};

/* Of each class. */
enum { RIGHT, TAKEN, LABELLED, SUMS };

static int64_t size(const void *settings, int64_t width)
{
    (void)settings;
    return SUMS * width;
}

/* Without a threshold those are taken that are as large as the largest; a single one has nothing to be compared with. */
static void count(const struct output_row *r, const void *settings, double *sums)
{
    const struct settings *s = settings;
    const bool largest = isnan(s->threshold) && r->n > 1;
    const float threshold = isnan(s->threshold) ? .5f : (float)s->threshold;
    float top = r->x[0];

    for (int64_t j = 1; j < r->n; j++)
        top = r->x[j] > top ? r->x[j] : top;
    for (int64_t j = 0; j < r->n; j++) {
        const bool taken = largest ? r->x[j] >= top && fabsf(r->x[j]) > 1e-9f : r->x[j] > threshold;
        const double t = row_target(r, j);

        sums[SUMS * j + RIGHT] += taken ? t : 0;
        sums[SUMS * j + TAKEN] += taken;
        sums[SUMS * j + LABELLED] += t;
    }
}

static double score(const double *sums, double beta)
{
    const double p = sums[RIGHT] / (sums[TAKEN] + EPSILON), r = sums[RIGHT] / (sums[LABELLED] + EPSILON);

    return (1 + beta * beta) * p * r / (beta * beta * p + r + EPSILON);
}

static double finish(const struct metric_sums *m)
{
    const struct settings *s = m->settings;
    double all[SUMS] = { 0 }, sum = 0;

    for (int64_t j = 0; j < m->width; j++)
        for (int k = 0; k < SUMS; k++)
            all[k] += m->at[SUMS * j + k];
    if (s->average == MICRO)
        return score(all, s->beta);
    for (int64_t j = 0; j < m->width; j++) {
        const double weight =
            s->average == WEIGHTED ? m->at[SUMS * j + LABELLED] / (all[LABELLED] + EPSILON) : 1 / (double)m->width;

        sum += weight * score(m->at + SUMS * j, s->beta);
    }
    return sum;
}

static const char *const averages[] = { "macro", "micro", "weighted", NULL };

const struct metric_def metric_fbeta_score = {
    .row = { "fbeta_score", "precision and recall in one",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, average), "of the classes", SPEC_WORD, .words = averages },
                 { SPEC_FIELD(struct settings, beta), "how much recall counts", .low = 1e-3, .high = 1e3,
                   .fallback = 1 },
                 { SPEC_FIELD(struct settings, threshold), "above it is 1 (the largest is; of one output above 0.5)",
                   .high = 1, .absent = SPEC_UNSAID },
                 SPEC_ALIAS_OF("f1_score"),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .size = size,
    .count = count,
    .finish = finish,
};
