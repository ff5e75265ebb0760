/* Time that only goes forward, in nanoseconds from some start. */
#ifndef KILN_BASE_CLOCK_H
#define KILN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* To some milliseconds, in a tenth of the time. */
static inline uint64_t clock_coarse(void)
{
    return clock_read(CLOCK_MONOTONIC_COARSE);
}

/* What the process has computed, on all its threads. */
static inline uint64_t clock_computed(void)
{
    return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
