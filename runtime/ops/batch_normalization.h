/* The attributes of BatchNormalization, for passes (plan/pass.h). */
#ifndef KILN_OPS_BATCH_NORMALIZATION_H
#define KILN_OPS_BATCH_NORMALIZATION_H

#include "ops/op.h"

struct batch_norm {
    float epsilon, momentum;
    bool training;
    bool each; /* a statistic for each element of an image, not for each channel: spatial 0 */
    bool channels_last;
    bool has_saved; /* are there slots for the batch's own statistics? */
};

struct batch_norm_lowered { /* kiln.BatchNormalization: in inference, with channels last */
    struct batch_norm norm;
    bool relu; /* max(0, y) */
};

#endif
