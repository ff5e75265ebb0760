/* Of the rows that are of a class, or taken for it, the part that is both; of one class, or the mean of those that
 * there are. A single output tells two classes apart. */
#include "train/metric.h"
#include <math.h>

#define EPSILON 1e-7 /* Keras' */

struct settings {
    double target_class_id, ignore_class, threshold;
};

/* Of each class. */
enum { BOTH, LABELLED, TAKEN, SUMS };

static int64_t classes_of(int64_t width)
{
    return width == 1 ? 2 : width;
}

static int64_t size(const void *settings, int64_t width)
{
    (void)settings;
    return SUMS * classes_of(width);
}

static void count(const struct output_row *r, const void *settings, double *sums)
{
    const struct settings *s = settings;
    const int64_t label = row_class(r), best = row_predicted(r);
    const int64_t taken = r->n == 1 && best >= 0 ? r->x[0] >= (float)s->threshold : best;

    if ((double)label == s->ignore_class)
        return;
    sums[SUMS * label + LABELLED]++;
    if (taken >= 0)
        sums[SUMS * taken + TAKEN]++;
    sums[SUMS * label + BOTH] += label == taken;
}

static double finish(const struct metric_sums *m)
{
    const struct settings *s = m->settings;
    double sum = 0, there = 0;

    for (int64_t c = 0; c < classes_of(m->width); c++) {
        const double *at = m->at + SUMS * c, either = at[LABELLED] + at[TAKEN] - at[BOTH];

        if ((isnan(s->target_class_id) || s->target_class_id == (double)c) && either > 0) {
            sum += at[BOTH] / (either + EPSILON);
            there++;
        }
    }
    return sum / (there + EPSILON);
}

const struct metric_def metric_iou = {
    .row = { "iou", "of a class, or on the mean of all, what is right in what is or is taken for it",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, target_class_id), "the class (all)", SPEC_WHOLE, .high = 1e6,
                   .absent = SPEC_UNSAID },
                 { SPEC_FIELD(struct settings, ignore_class), "a label that does not count", SPEC_WHOLE, .low = -1e6,
                   .high = 1e6, .absent = SPEC_UNSAID },
                 { SPEC_FIELD(struct settings, threshold), "of a single output", .high = 1, .fallback = .5 },
                 SPEC_ALIAS_OF("mean_iou"),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .size = size,
    .count = count,
    .finish = finish,
};
