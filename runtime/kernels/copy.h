/* Copying runs of floats that are too short to call memcpy for. */
#ifndef KILN_KERNELS_COPY_H
#define KILN_KERNELS_COPY_H

#include <stdint.h>
#include <string.h>

static inline void copy_short(const float *from, float *to, int64_t n)
{
    enum { RUN = 16 };
    int64_t i = 0;

    for (; i + RUN <= n; i += RUN)
        memcpy(to + i, from + i, RUN * sizeof *to);
    for (; i < n; i++)
        to[i] = from[i];
}

#endif
