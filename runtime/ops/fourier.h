/* What Rfft and Irfft of com.microsoft share. */
#ifndef KILN_OPS_FOURIER_H
#define KILN_OPS_FOURIER_H

#include "ops/expansion.h"

/* Reads signal_ndim, which is the attributes. */
static inline bool fourier_parse(struct parse *p, void *attrs)
{
    const int64_t dims = attr_int(p, "signal_ndim", 0), onesided = attr_int(p, "onesided", 1),
                  normalized = attr_int(p, "normalized", 0);

    *(int64_t *)attrs = dims;
    if (onesided != 1 || normalized != 0)
        return parse_error(p, "onesided is %lld and normalized %lld, must be 1 and 0", (long long)onesided,
                           (long long)normalized);
    return (dims >= 1 && dims <= 3) || parse_error(p, "signal_ndim is %lld, must be 1 to 3", (long long)dims);
}

#endif
