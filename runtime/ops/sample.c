#include "ops/sample.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/resample.h"
#include <math.h>

enum { MOST_TAPS = 4, BLOCK = 64, BLOCK_ELEMENTS = 4096 };

static int taps(const struct sampler *s)
{
    return s->mode == SAMPLE_LINEAR ? 2 : s->mode == SAMPLE_NEAREST ? 1 : MOST_TAPS;
}

int64_t sample_elements(const struct sampler *s) /* 4^14 are the most */
{
    int64_t n = 1;

    for (int d = 0; d < s->rank; d++)
        n *= taps(s);
    return n;
}

int64_t sample_block(const struct sampler *s)
{
    const int64_t fit = BLOCK_ELEMENTS / sample_elements(s);

    return fit > BLOCK ? BLOCK : fit < 1 ? 1 : fit;
}

int64_t sample_coordinate_bytes(const struct sampler *s)
{
    return round_up(sample_block(s) * s->rank * (int64_t)sizeof(double), CACHE_LINE);
}

int64_t sample_bytes(const struct sampler *s, bool slopes)
{
    const int64_t points = sample_block(s), all = points * sample_elements(s), each = 2 + (slopes ? s->rank : 0);

    return round_up((points + 1 + all * each) * (int64_t)sizeof(int64_t), CACHE_LINE);
}

struct samples samples_in(const struct sampler *s, bool slopes, void *memory)
{
    const int64_t points = sample_block(s), all = points * sample_elements(s);
    int64_t *const first = memory;
    double *const weight = (double *)(first + points + 1 + all);

    return (struct samples){ first, first + points + 1, weight, slopes ? weight + all : NULL };
}

/* -- along an axis -- */

struct axis_taps {
    int64_t offset[MOST_TAPS]; /* UNKNOWN: nothing is there */
    double weight[MOST_TAPS], slope[MOST_TAPS];
};

/* The element that stands at place `at`, which may be outside. */
static int64_t element_at(const struct sampler *s, int d, int64_t at)
{
    const int64_t n = s->dims[d];
    int64_t period, in;

    if (at >= 0 && at < n)
        return at;
    if (s->outside == OUTSIDE_ZEROS || !n)
        return UNKNOWN;
    if (s->outside == OUTSIDE_EDGE)
        return at < 0 ? 0 : n - 1;
    period = s->outside == OUTSIDE_MIRRORED ? 2 * (n - 1) : 2 * n;
    if (!period)
        return 0;
    in = (at % period + period) % period;
    return in < n ? in : period - in - (s->outside == OUTSIDE_MIRRORED_TWICE);
}

/* Of the cubic weight, by x (resample.h). */
static double cubic_slope(double c, double x)
{
    const double v = fabs(x);
    const double slope = v <= 1 ? (3 * (c + 2) * v - 2 * (c + 3)) * v : v < 2 ? (3 * c * v - 10 * c) * v + 8 * c : 0;

    return x < 0 ? -slope : slope;
}

static void weigh(const struct sampler *s, int d, double x, struct axis_taps *t)
{
    static const double c = -.75; /* torch.nn.functional.grid_sample's, for want of an attribute */
    const double limit = 0x1p50, at = x != x ? 0 : x < -limit ? -limit : x > limit ? limit : x;
    const double below = s->mode == SAMPLE_NEAREST ? nearbyint(at) : floor(at), part = at - below;
    const int64_t first = (int64_t)below - (s->mode == SAMPLE_CUBIC);

    for (int k = 0; k < taps(s); k++) {
        const int64_t element = element_at(s, d, first + k);

        t->offset[k] = element < 0 ? UNKNOWN : element * s->strides[d];
        if (s->mode == SAMPLE_NEAREST) {
            t->weight[k] = 1;
            t->slope[k] = 0;
        } else if (s->mode == SAMPLE_LINEAR) {
            t->weight[k] = k ? part : 1 - part;
            t->slope[k] = k ? 1 : -1;
        } else {
            t->weight[k] = cubic_weight(c, part + 1 - k);
            t->slope[k] = cubic_slope(c, part + 1 - k);
        }
    }
}

/* -- points -- */

/* The element of these taps, one of each axis, behind `at` others, if it is there and counts: of no weight it does not,
 * so that an infinity that nobody looks at does not become NaN, unless its slope is wanted. */
static int64_t put(const struct sampler *s, const struct axis_taps *t, const int *tap, const struct samples *to,
                   int64_t at)
{
    double weight = 1;

    to->offset[at] = 0;
    for (int d = 0; d < s->rank; d++) {
        if (t[d].offset[tap[d]] < 0)
            return at;
        to->offset[at] += t[d].offset[tap[d]];
        weight *= t[d].weight[tap[d]];
    }
    if (weight == 0 && !to->slope)
        return at;
    to->weight[at] = weight;
    for (int by = 0; to->slope && by < s->rank; by++) {
        double slope = 1;

        for (int d = 0; d < s->rank; d++)
            slope *= d == by ? t[d].slope[tap[d]] : t[d].weight[tap[d]];
        to->slope[at * s->rank + by] = slope;
    }
    return at + 1;
}

void sample_points(const struct sampler *s, const double *coordinates, int64_t count, const struct samples *to)
{
    struct axis_taps t[MAX_SPATIAL];
    int64_t at = 0;

    for (int64_t p = 0; p < count; p++) {
        int tap[MAX_SPATIAL] = { 0 }, d = 0;

        for (int k = 0; k < s->rank; k++)
            weigh(s, k, coordinates[p * s->rank + k], &t[k]);
        to->first[p] = at;
        while (d >= 0) {
            at = put(s, t, tap, to, at);
            for (d = s->rank - 1; d >= 0 && ++tap[d] == taps(s); d--)
                tap[d] = 0;
        }
    }
    to->first[count] = at;
}
