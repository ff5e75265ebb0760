/* Philox 4x32-10 (base/random.h) on vectors, and what is done with its numbers while they are near: the same bits on
 * every level. */
#ifndef KILN_KERNELS_ISA_RANDOM_H
#define KILN_KERNELS_ISA_RANDOM_H

#include "base/random.h"
#include "kernels/isa/lanes.h"

/* -- words -- */

/* SETS vectors of blocks are made at once, which hides the latency of the multiplications. A word has 64 bits of a
 * vector, whose upper half is anything: a multiplication does not look at it. */
#if defined(__AVX512F__) && LANES == 16
enum { SETS = 4 };
#define PAIRS_LOW     0, 8, 1, 9, 2, 10, 3, 11
#define PAIRS_HIGH    4, 12, 5, 13, 6, 14, 7, 15
#define PRODUCT(a, b) (wide_vec) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define COUNT         0, 1, 2, 3, 4, 5, 6, 7
#elif defined(__AVX2__) && LANES == 8
enum { SETS = 2 };
#define PAIRS_LOW     0, 4, 1, 5
#define PAIRS_HIGH    2, 6, 3, 7
#define PRODUCT(a, b) (wide_vec) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#define COUNT         0, 1, 2, 3
#endif

#ifdef PRODUCT
typedef uint64_t wide_vec __attribute__((vector_size(4 * LANES)));

enum { BLOCKS_SET = LANES / 2, BLOCKS = SETS * BLOCKS_SET, WORDS = 4 * BLOCKS };

ALWAYS_INLINE wide_vec splat_wide(uint64_t v)
{
    return v - (wide_vec){ 0 };
}
ALWAYS_INLINE void make_words(uint32_t words[WORDS], uint64_t seed, uint64_t stream, uint64_t first)
{
    enum { ROUNDS = 10 };
    const wide_vec low = splat_wide(0xffffffff), m0 = splat_wide(0xD2511F53), m1 = splat_wide(0xCD9E8D57);
    wide_vec word[SETS][4];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    UNROLLED
    for (int s = 0; s < SETS; s++) {
        word[s][0] = first + (uint64_t)(s * BLOCKS_SET) + (wide_vec){ COUNT };
        word[s][1] = word[s][0] >> 32;
        word[s][2] = splat_wide(stream);
        word[s][3] = splat_wide(stream >> 32);
    }
    UNROLLED
    for (int round = 0; round < ROUNDS; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
        const wide_vec key0 = splat_wide(k0), key1 = splat_wide(k1);

        UNROLLED
        for (int s = 0; s < SETS; s++) {
            const wide_vec p0 = PRODUCT(word[s][0], m0), p1 = PRODUCT(word[s][2], m1);

            word[s][0] = p1 >> 32 ^ word[s][1] ^ key0;
            word[s][2] = p0 >> 32 ^ word[s][3] ^ key1;
            word[s][1] = p1;
            word[s][3] = p0;
        }
    }
    UNROLLED
    for (int s = 0; s < SETS; s++, words += 4 * BLOCKS_SET) {
        const wide_vec front = (word[s][0] & low) | word[s][1] << 32, back = (word[s][2] & low) | word[s][3] << 32;
        const wide_vec half[2] = { __builtin_shufflevector(front, back, PAIRS_LOW),
                                   __builtin_shufflevector(front, back, PAIRS_HIGH) };

        memcpy(words, half, sizeof half);
    }
}
#undef PAIRS_LOW
#undef PAIRS_HIGH
#undef PRODUCT
#undef COUNT
#else
enum { BLOCKS = RANDOM_BLOCKS, WORDS = 4 * BLOCKS };

ALWAYS_INLINE void make_words(uint32_t words[WORDS], uint64_t seed, uint64_t stream, uint64_t first)
{
    random_words(words, seed, stream, first);
}
#endif

/* -- numbers -- */

static inline void random_uniform_loop(float *y, int64_t n, uint64_t seed, uint64_t stream, uint64_t first)
{
    int64_t skip = (int64_t)(first % 4), count;
    uint32_t words[WORDS];

    for (uint64_t block = first / 4; n > 0; block += BLOCKS, y += count, n -= count, skip = 0) {
        count = n < WORDS - skip ? n : WORDS - skip;
        make_words(words, seed, stream, block);
        INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            y[i] = (float)(int32_t)(words[skip + i] >> 8) * 0x1p-24f;
    }
}

/* A byte for each lane: all ones or zeros to 1 or 0, and back from what is not 0. */
ALWAYS_INLINE void store_mask(uint8_t *p, lanes_mask m)
{
#if defined(__AVX512F__) && LANES == 16
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8((__m512i)(m & 1)));
#elif defined(__AVX2__) && LANES == 8
    const __m256i b =
        _mm256_shuffle_epi8((__m256i)(m & 1), _mm256_set1_epi32(0x0c080400)); /* four bytes first in each half */

    _mm_storel_epi64((__m128i *)(void *)p,
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1)));
#else
    for (int l = 0; l < LANES; l++)
        p[l] = m[l] != 0;
#endif
}
ALWAYS_INLINE lanes_mask load_mask(const uint8_t *p)
{
#if defined(__AVX512F__) && LANES == 16
    return (lanes_mask)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)) != 0;
#elif defined(__AVX2__) && LANES == 8
    return (lanes_mask)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)) != 0;
#else
    lanes_mask m;

    for (int l = 0; l < LANES; l++)
        m[l] = -(p[l] != 0);
    return m;
#endif
}

ALWAYS_INLINE void drop_vector(const struct drop *d, const uint32_t *words, const float *x, float *y, uint8_t *mask)
{
    lanes_mask number, kept;

    memcpy(&number, words, sizeof number);
    kept = (number >> 8 & 0xffffff) >= d->least;
    store(y, choose(kept, load(x) * d->scale, (vec){ 0 }));
    if (mask)
        store_mask(mask, kept);
}
ALWAYS_INLINE void drop_some(const struct drop *d, const uint32_t *words, const float *x, float *y, uint8_t *mask,
                             int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        drop_vector(d, words + i, x + i, y + i, mask ? mask + i : NULL);
    for (; i < n; i++) {
        const bool kept = (int32_t)(words[i] >> 8) >= d->least;

        y[i] = kept ? x[i] * d->scale : 0;
        if (mask)
            mask[i] = kept;
    }
}
ALWAYS_INLINE void drop_all(const struct drop *d, const float *x, float *y, uint8_t *mask, int64_t n, uint64_t first)
{
    int64_t skip = (int64_t)(first % 4), count;
    uint32_t words[WORDS];

    for (uint64_t block = first / 4; n > 0; block += BLOCKS, x += count, y += count, n -= count, skip = 0) {
        count = n < WORDS - skip ? n : WORDS - skip;
        make_words(words, d->seed, d->stream, block);
        if (count == WORDS)
            drop_some(d, words, x, y, mask, WORDS);
        else
            drop_some(d, words + skip, x, y, mask, count);
        if (mask)
            mask += count;
    }
}
static inline void drop_loop(const struct drop *d, const float *x, float *y, uint8_t *mask, int64_t n, uint64_t first)
{
    if (mask)
        drop_all(d, x, y, mask, n, first);
    else
        drop_all(d, x, y, NULL, n, first);
}

static inline void keep_loop(const uint8_t *mask, const float *x, float *y, int64_t n, float scale)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        store(y + i, choose(load_mask(mask + i), load(x + i) * scale, (vec){ 0 }));
    for (; i < n; i++)
        y[i] = mask[i] ? x[i] * scale : 0;
}

#endif
