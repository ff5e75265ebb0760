/* Random numbers that are counted, not drawn: an element depends on (seed, stream, its index) alone, so that neither
 * threads nor an interrupted run change it. Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011. */
#ifndef KILN_BASE_RANDOM_H
#define KILN_BASE_RANDOM_H

#include <stdint.h>

/* The generator itself: four words for a counter and a key. */
void philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* Words of a stream: block first + i is out[4 * i ...]. The kernel table has faster ways to the same numbers. */
enum { RANDOM_BLOCKS = 8 };
void random_words(uint32_t out[4 * RANDOM_BLOCKS], uint64_t seed, uint64_t stream, uint64_t first);

/* A stream for what a node draws in `step`, by its own number (graph/graph.h); the last ones are kept for the library itself. */
enum {
    RANDOM_NODE_SHUFFLE = INT32_MAX,
    RANDOM_NODE_INIT = INT32_MAX - 1,
    RANDOM_NODE_AUGMENT = INT32_MAX - 2,
    RANDOM_NODE_WINDOW = INT32_MAX - 3
};
static inline uint64_t random_stream(int32_t node, uint64_t step)
{
    return (uint64_t)(uint32_t)node << 32 | (uint32_t)step;
}

/* Element k of `out` is number first + k of the stream; numbers below 2^56 are distinct. */
void random_uniform(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first); /* [0, 1), 24 bits */
void random_normal(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first);  /* mean 0, deviation 1 */
/* The same of 53 bits; they are no prefix of the others. */
void random_normal_wide(double *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first);
/* The normal distribution cut at two deviations, as Keras' initialisers draw it. Its own deviation is
 * 0.87962566103423978. */
void random_truncated_normal(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first);
/* Number k of the stream in [0, n), each equally likely but for less than n / 2^64. */
int64_t random_index(int64_t n, uint64_t seed, uint64_t stream, uint64_t k);
/* Every order of 0 .. n-1 is equally likely. */
void random_permutation(int64_t *out, int64_t n, uint64_t seed, uint64_t stream);

#endif
