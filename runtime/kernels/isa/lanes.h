/* What the loop bodies are written in. The file that includes them defines LANES, the floats of a vector. */
#ifndef KILN_KERNELS_ISA_LANES_H
#define KILN_KERNELS_ISA_LANES_H

#include "kernels/kernels.h"
#include <math.h>
#include <string.h>

#define LOOP_NAME(name) name##_loop
#define LOOP(name)      LOOP_NAME(name)

/* In and out may be one array, element for element: iterations do not depend on each other, which the compiler cannot
 * know. */
#if defined(PLAIN)
#define INDEPENDENT
#elif defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));

static inline vec load(const float *p)
{
    vec v;

    memcpy(&v, p, sizeof v);
    return v;
}
static inline void store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}
static inline vec load_some(const float *p, int64_t n) /* n < LANES; the others are 0 */
{
    vec v = { 0 };

    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}
static inline vec splat(float f)
{
    return f - (vec){ 0 };
}
static inline float total(vec v) /* lanes added in pairs */
{
    float f[LANES];

    memcpy(f, &v, sizeof v);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            f[l] += f[l + half];
    return f[0];
}

#endif
