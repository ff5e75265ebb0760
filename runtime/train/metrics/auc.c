/* The area below the curve of two rates over all thresholds, of which there are num_thresholds evenly from 0 to 1: recall
 * over the rate of false positives (ROC), or precision over recall (PR; between two points as in Davis and Goadrich, The
 * Relationship Between Precision-Recall and ROC Curves). */
#include "train/metric.h"
#include <math.h>

enum curve { ROC, PR };
enum summation { INTERPOLATION, MINORING, MAJORING };

struct settings {
    double num_thresholds, curve, summation_method;
    bool multi_label;
};

static int64_t thresholds_of(const struct settings *s)
{
    return (int64_t)s->num_thresholds;
}

/* For each label, or all together: outputs between two thresholds, of label 1, then of label 0. */
static int64_t size(const void *settings, int64_t width)
{
    const struct settings *s = settings;

    return 2 * thresholds_of(s) * (s->multi_label ? width : 1);
}

static void count(const struct output_row *r, const void *settings, double *sums)
{
    const struct settings *s = settings;
    const int64_t n = thresholds_of(s);

    for (int64_t j = 0; j < r->n; j++) {
        const float p = r->x[j] > 0 ? r->x[j] < 1 ? r->x[j] : 1 : 0;
        const int64_t above = (int64_t)ceilf(p * (float)(n - 1)) - 1;
        double *const to = sums + (s->multi_label ? 2 * n * j : 0);

        to[(row_target(r, j) != 0 ? 0 : n) + (above > 0 ? above : 0)]++;
    }
}

/* What is above one threshold, and above the next. */
struct point {
    double tp, fp;
};

static double interpolated(struct point low, struct point high, double positives)
{
    const double p = low.tp + low.fp, q = high.tp + high.fp, slope = metric_ratio(low.tp - high.tp, p - q);
    const double ratio = p > 0 && q > 0 ? p / q : 1;

    return metric_ratio(slope * (low.tp - high.tp + (high.tp - slope * q) * log(ratio)), positives);
}

static double riemann(const struct settings *s, struct point low, struct point high, double positives, double negatives)
{
    const bool roc = s->curve == ROC;
    const double x = roc ? metric_ratio(low.fp, negatives) : metric_ratio(low.tp, positives);
    const double x_next = roc ? metric_ratio(high.fp, negatives) : metric_ratio(high.tp, positives);
    const double y = roc ? metric_ratio(low.tp, positives) : metric_ratio(low.tp, low.tp + low.fp);
    const double y_next = roc ? metric_ratio(high.tp, positives) : metric_ratio(high.tp, high.tp + high.fp);

    return (x - x_next) * (s->summation_method == MINORING   ? fmin(y, y_next)
                           : s->summation_method == MAJORING ? fmax(y, y_next)
                                                             : (y + y_next) / 2);
}

static double area(const struct settings *s, const double *sums)
{
    const int64_t n = thresholds_of(s);
    struct point high = { 0 }, all = { 0 };
    double sum = 0;

    for (int64_t k = 0; k < n; k++)
        all = (struct point){ all.tp + sums[k], all.fp + sums[n + k] };
    high = (struct point){ sums[n - 1], sums[2 * n - 1] };
    for (int64_t k = n - 2; k >= 0; k--) {
        const struct point low = { high.tp + sums[k], high.fp + sums[n + k] };

        sum += s->curve == PR && s->summation_method == INTERPOLATION ? interpolated(low, high, all.tp)
                                                                      : riemann(s, low, high, all.tp, all.fp);
        high = low;
    }
    return sum;
}

static double finish(const struct metric_sums *m)
{
    const struct settings *s = m->settings;
    const int64_t labels = s->multi_label ? m->width : 1;
    double sum = 0;

    for (int64_t j = 0; j < labels; j++)
        sum += area(s, m->at + 2 * thresholds_of(s) * j);
    return sum / (double)labels;
}

static const char *const curves[] = { "ROC", "PR", NULL };
static const char *const summations[] = { "interpolation", "minoring", "majoring", NULL };

const struct metric_def metric_auc = {
    .row = { "auc", "the area below a curve over all thresholds",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, num_thresholds), "how many", SPEC_WHOLE, .low = 2, .high = 1e5,
                   .fallback = 200 },
                 { SPEC_FIELD(struct settings, curve), "of which rates", SPEC_WORD, .words = curves },
                 { SPEC_FIELD(struct settings, summation_method), "between two thresholds", SPEC_WORD,
                   .words = summations },
                 { SPEC_FIELD(struct settings, multi_label), "the mean of an area for each output", SPEC_FLAG },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .size = size,
    .count = count,
    .finish = finish,
};
