/* The Mersenne Twister, seeded and read as numpy.random.RandomState(seed).rand() does: ONNX' reference draws with it
 * wherever an operator has a `seed`. Matsumoto and Nishimura, ACM TOMACS 8(1), 1998. */
#ifndef KILN_BASE_MT19937_H
#define KILN_BASE_MT19937_H

#include <stdint.h>

enum { MT_WORDS = 624 };

struct mt {
    uint32_t word[MT_WORDS];
    int at;
};

void mt_seed(struct mt *m, uint32_t seed);
uint32_t mt_u32(struct mt *m);
double mt_double(struct mt *m); /* [0, 1), 53 bits */

#endif
