/* What the loop bodies are written in. LANES, the floats of a vector, is told by the build or the file that includes
 * them; without, it is plain C. */
#ifndef KILN_KERNELS_ISA_LANES_H
#define KILN_KERNELS_ISA_LANES_H

#include "kernels/kernels.h"
#include "kernels/loop.h"
#include <math.h>
#include <string.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

/* Under a sanitizer loops stay loops: every access of an unrolled one is checked by code of its own, which takes a
 * compiler minutes. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNROLLED
#endif
#endif
#if defined(UNROLLED)
#elif defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 32")
#endif
#ifndef LANES
#define LANES 4
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));

typedef int32_t lanes_mask __attribute__((vector_size(4 * LANES))); /* -1 or 0 in each lane, as comparisons give */

static inline vec choose(lanes_mask m, vec yes, vec no)
{
    return (vec)((m & (lanes_mask)yes) | (~m & (lanes_mask)no));
}
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
/* n <= LANES of them; the others are 0, and stay as they are. */
#if defined(__AVX512F__) && LANES == 16
static inline vec load_some(const float *p, int64_t n)
{
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
static inline void store_some(float *p, vec v, int64_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
#elif defined(__AVX2__) && LANES == 8
static inline __m256i some_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec load_some(const float *p, int64_t n)
{
    return (vec)_mm256_maskload_ps(p, some_lanes(n));
}
static inline void store_some(float *p, vec v, int64_t n)
{
    _mm256_maskstore_ps(p, some_lanes(n), (__m256)v);
}
#else
static inline vec load_some(const float *p, int64_t n)
{
    vec v = { 0 };

    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}
static inline void store_some(float *p, vec v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof *p);
}
#endif
static inline vec splat(float f)
{
    return f - (vec){ 0 };
}
/* a * b + c, rounded once where the CPU can; the greater and the lesser of v and a limit, v where it is NaN. */
#if defined(__AVX512F__) && LANES == 16
static inline vec multiply_add(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
static inline vec at_least(vec limit, vec v)
{
    return (vec)_mm512_max_ps((__m512)limit, (__m512)v);
}
static inline vec at_most(vec limit, vec v)
{
    return (vec)_mm512_min_ps((__m512)limit, (__m512)v);
}
#elif defined(__AVX2__) && LANES == 8
static inline vec multiply_add(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
static inline vec at_least(vec limit, vec v)
{
    return (vec)_mm256_max_ps((__m256)limit, (__m256)v);
}
static inline vec at_most(vec limit, vec v)
{
    return (vec)_mm256_min_ps((__m256)limit, (__m256)v);
}
#else
static inline vec multiply_add(vec a, vec b, vec c)
{
    return a * b + c;
}
static inline vec at_least(vec limit, vec v)
{
    return choose(v < limit, limit, v);
}
static inline vec at_most(vec limit, vec v)
{
    return choose(v > limit, limit, v);
}
#endif
static inline float total(vec v) /* lanes added in pairs */
{
    float f[LANES];

    memcpy(f, &v, sizeof v);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            f[l] += f[l + half];
    return f[0];
}

/* Every lane is less than the limit, and so not NaN. */
static inline bool all_below(vec v, float limit)
{
#if defined(__AVX512F__) && LANES == 16
    return !_mm512_cmp_ps_mask((__m512)v, (__m512)splat(limit), _CMP_NLT_UQ);
#elif defined(__AVX2__) && LANES == 8
    return !_mm256_movemask_ps(_mm256_cmp_ps((__m256)v, (__m256)splat(limit), _CMP_NLT_UQ));
#else
    const lanes_mask below = v < splat(limit);
    int32_t all = -1;

    for (int l = 0; l < LANES; l++)
        all &= below[l];
    return all;
#endif
}

/* Of two vectors one after the other: every second lane; and back, lane by lane. */
#if LANES == 4
#define EVEN_LANES 0, 2, 4, 6
#define ODD_LANES  1, 3, 5, 7
#define ZIP_LOW    0, 4, 1, 5
#define ZIP_HIGH   2, 6, 3, 7
#elif LANES == 8
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#define ODD_LANES  1, 3, 5, 7, 9, 11, 13, 15
#define ZIP_LOW    0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH   4, 12, 5, 13, 6, 14, 7, 15
#elif LANES == 16
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD_LANES  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define ZIP_LOW    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif

#endif
