/* Weighted sums along axes, one axis after the other, and their adjoint: what Resize and its gradient, and the gradient
 * of Pad, share. */
#ifndef KILN_OPS_RESAMPLE_H
#define KILN_OPS_RESAMPLE_H

#include "ops/op.h"
#include <math.h>

/* Element p along the axis is the sum over t < width of weight[p * width + t] times element index[p * width + t]; an
 * index below 0 adds nothing. */
struct taps {
    int axis;
    int64_t in, out, width;
    int64_t *index;
    double *weight;
};

struct resample {
    /* All but strings; halves are computed in float, integers in double and rounded to nearest even. */
    enum dtype dtype;
    int rank;
    int64_t dims[MAX_RANK]; /* before; an axis changes from taps.in to taps.out */
    int count;
    struct taps taps[MAX_RANK];
    bool adjoint; /* dims is what comes out, and each axis changes from taps.out to taps.in: the gradient */
};

/* What an element x elements away counts in cubic interpolation (Keys, 1981). */
static inline double cubic_weight(double c, double x)
{
    const double v = fabs(x);

    if (v <= 1)
        return ((c + 2) * v - (c + 3)) * v * v + 1;
    return v < 2 ? ((c * v - 5 * c) * v + 8 * c) * v - 4 * c : 0;
}

/* Bytes for the tables and for what lies between two axes. False where they cannot be counted. axis, in, out and width
 * must be set. */
bool resample_scratch(const struct resample *r, size_t *bytes);
/* Where in the scratch the tables are; the caller fills them, then runs. */
void resample_tables(struct resample *r, void *scratch);
void resample_run(struct step *s, const struct resample *r, const void *from, void *to);

#endif
