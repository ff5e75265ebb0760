/* The Mersenne Twister, seeded and read as numpy.random.RandomState(seed).rand() does: ONNX' reference draws with it
 * wherever an operator has a `seed`. Matsumoto and Nishimura, ACM TOMACS 8(1), 1998. */
#ifndef KILN_BASE_MT19937_H
#define KILN_BASE_MT19937_H

#include <stdbool.h>
#include <stdint.h>

enum { MT_WORDS = 624 };

struct mt {
    uint32_t word[MT_WORDS];
    int at;
    bool kept; /* of a pair of normal numbers the second */
    double normal;
};

void mt_seed(struct mt *m, uint32_t seed);
uint32_t mt_u32(struct mt *m);
double mt_double(struct mt *m); /* [0, 1), 53 bits */
double mt_normal(struct mt *m); /* mean 0, deviation 1: randn(); Marsaglia and Bray, SIAM Review 6(3), 1964 */

#endif
