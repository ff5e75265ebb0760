/* What precision and recall share: outputs that are taken for 1. */
#ifndef KILN_TRAIN_METRICS_POSITIVES_H
#define KILN_TRAIN_METRICS_POSITIVES_H

#include "train/metric.h"

struct positives {
    double thresholds, top_k, class_id; /* NaN: nothing is said */
};

#define POSITIVES_OPTIONS                                                                                              \
    { SPEC_FIELD(struct positives, thresholds), "above it is 1 (0.5; any with top_k)", .high = 1,                      \
      .absent = SPEC_UNSAID },                                                                                         \
        { SPEC_FIELD(struct positives, top_k),                                                                         \
          "only the largest of a row",                                                                                 \
          SPEC_WHOLE,                                                                                                  \
          .low = 1,                                                                                                    \
          .high = 1e6,                                                                                                 \
          .absent = SPEC_UNSAID },                                                                                     \
    {                                                                                                                  \
        SPEC_FIELD(struct positives, class_id), "only this one of a row", SPEC_WHOLE, .high = 1e6,                     \
                                                                                      .absent = SPEC_UNSAID            \
    }

/* Sums. */
enum { RIGHT, TAKEN, LABELLED, POSITIVES };

int64_t positives_size(const void *settings, int64_t width);
void positives_count(const struct output_row *r, const void *settings, double *sums);

#endif
