#include "base/mt19937.h"
#include <math.h>

enum { MIDDLE = 397 };

void mt_seed(struct mt *m, uint32_t seed)
{
    m->word[0] = seed;
    for (uint32_t i = 1; i < MT_WORDS; i++)
        m->word[i] = 1812433253u * (m->word[i - 1] ^ m->word[i - 1] >> 30) + i;
    m->at = MT_WORDS;
    m->kept = false;
}

static void twist(struct mt *m)
{
    for (int i = 0; i < MT_WORDS; i++) {
        const uint32_t y = (m->word[i] & 0x80000000u) | (m->word[(i + 1) % MT_WORDS] & 0x7fffffffu);

        m->word[i] = m->word[(i + MIDDLE) % MT_WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    m->at = 0;
}

uint32_t mt_u32(struct mt *m)
{
    uint32_t y;

    if (m->at == MT_WORDS)
        twist(m);
    y = m->word[m->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

double mt_double(struct mt *m)
{
    const uint32_t high = mt_u32(m) >> 5, low = mt_u32(m) >> 6;

    return (high * 67108864.0 + low) / 9007199254740992.0;
}

/* A point of the unit circle makes two; that of its second coordinate comes first. */
double mt_normal(struct mt *m)
{
    double x, y, square, factor;

    m->kept = !m->kept;
    if (!m->kept)
        return m->normal;
    do {
        x = 2 * mt_double(m) - 1;
        y = 2 * mt_double(m) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    factor = sqrt(-2 * log(square) / square);
    m->normal = factor * x;
    return factor * y;
}
