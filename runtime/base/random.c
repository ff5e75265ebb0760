#include "base/random.h"
#include <math.h>

/* Blocks are made LANES at a time, word by word, so that the compiler can use vectors. */
enum { LANES = RANDOM_BLOCKS, ROUNDS = 10, NUMBERS = 4 * LANES };

struct blocks {
    uint32_t word[4][LANES];
};

static void encrypt(struct blocks *b, uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LANES; i++) {
            const uint64_t p0 = (uint64_t)0xD2511F53 * b->word[0][i];
            const uint64_t p1 = (uint64_t)0xCD9E8D57 * b->word[2][i];

            b->word[0][i] = (uint32_t)(p1 >> 32) ^ b->word[1][i] ^ k0;
            b->word[2][i] = (uint32_t)(p0 >> 32) ^ b->word[3][i] ^ k1;
            b->word[1][i] = (uint32_t)p1;
            b->word[3][i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
}

void philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    struct blocks b = { 0 };

    for (int w = 0; w < 4; w++)
        b.word[w][0] = counter[w];
    encrypt(&b, key[0], key[1]);
    for (int w = 0; w < 4; w++)
        out[w] = b.word[w][0];
}

static void make_blocks(struct blocks *b, uint64_t seed, uint64_t stream, uint64_t first)
{
    for (int i = 0; i < LANES; i++) {
        b->word[0][i] = (uint32_t)(first + (uint64_t)i);
        b->word[1][i] = (uint32_t)((first + (uint64_t)i) >> 32);
        b->word[2][i] = (uint32_t)stream;
        b->word[3][i] = (uint32_t)(stream >> 32);
    }
    encrypt(b, (uint32_t)seed, (uint32_t)(seed >> 32));
}

void random_words(uint32_t out[4 * RANDOM_BLOCKS], uint64_t seed, uint64_t stream, uint64_t first)
{
    struct blocks b;

    make_blocks(&b, seed, stream, first);
    for (int i = 0; i < LANES; i++)
        for (int w = 0; w < 4; w++)
            out[4 * i + w] = b.word[w][i];
}

/* -- uniform and normal: number k is word k % 4 of block k / 4 -- */

static void to_uniform(const struct blocks *b, float out[NUMBERS])
{
    for (int i = 0; i < LANES; i++)
        for (int w = 0; w < 4; w++)
            out[4 * i + w] = (float)(b->word[w][i] >> 8) * 0x1p-24f;
}

/* Box and Muller: two uniform numbers, the first of (0, 1] because of its logarithm, are two normal ones. */
static void box_muller_wide(double a, double b, double out[2])
{
    const double radius = sqrt(-2 * log(a)), angle = 6.283185307179586477 * b;

    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

static void box_muller(uint32_t a, uint32_t b, float out[2])
{
    double z[2];

    box_muller_wide((a + 1.0) * 0x1p-32, b * 0x1p-32, z);
    out[0] = (float)z[0];
    out[1] = (float)z[1];
}

static void to_normal(const struct blocks *b, float out[NUMBERS])
{
    for (int i = 0; i < LANES; i++) {
        box_muller(b->word[0][i], b->word[1][i], out + 4 * i);
        box_muller(b->word[2][i], b->word[3][i], out + 4 * i + 2);
    }
}

static void generate(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first,
                     void (*convert)(const struct blocks *, float *))
{
    struct blocks b;
    float numbers[NUMBERS];
    int skip = (int)(first % 4);

    for (uint64_t block = first / 4; n > 0; block += LANES, skip = 0) {
        make_blocks(&b, seed, stream, block);
        convert(&b, numbers);
        for (int i = skip; i < NUMBERS && n > 0; i++, n--)
            *out++ = numbers[i];
    }
}

void random_uniform(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first)
{
    generate(out, n, seed, stream, first, to_uniform);
}

void random_normal(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first)
{
    generate(out, n, seed, stream, first, to_normal);
}

/* Number k is one of two of block k / 2. */
void random_normal_wide(double *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first)
{
    struct blocks b;
    int skip = (int)(first % 2);

    for (uint64_t block = first / 2; n > 0; block += LANES) {
        make_blocks(&b, seed, stream, block);
        for (int i = 0; i < LANES; i++, skip = 0) {
            const uint64_t one = (uint64_t)b.word[0][i] << 32 | b.word[1][i];
            const uint64_t two = (uint64_t)b.word[2][i] << 32 | b.word[3][i];
            double z[2];

            box_muller_wide(((double)(one >> 11) + 1) * 0x1p-53, (double)(two >> 11) * 0x1p-53, z);
            for (int k = skip; k < 2 && n > 0; k++, n--)
                *out++ = z[k];
        }
    }
}

/* -- truncated normal: number k has blocks of its own -- */

enum { ATTEMPTS = 256 }; /* in the counter's top byte; four draws each, of which one in 22 falls outside */

static float truncated(uint64_t seed, uint64_t stream, uint64_t k)
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    float z[4];

    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        const uint32_t counter[4] = { (uint32_t)k, (uint32_t)(k >> 32 & 0xffffff) | attempt << 24, (uint32_t)stream,
                                      (uint32_t)(stream >> 32) };
        uint32_t word[4];

        philox(word, counter, key);
        box_muller(word[0], word[1], z);
        box_muller(word[2], word[3], z + 2);
        for (int i = 0; i < 4; i++)
            if (fabsf(z[i]) <= 2)
                return z[i];
    }
    return 0; /* once in 10^1373 numbers */
}

void random_truncated_normal(float *out, int64_t n, uint64_t seed, uint64_t stream, uint64_t first)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = truncated(seed, stream, first + (uint64_t)i);
}

/* -- permutation -- */

struct draws {
    struct blocks b;
    uint64_t seed, stream, block;
    int at; /* the next pair of words, NUMBERS / 2 when there is none */
};

static uint64_t draw(struct draws *d)
{
    int lane, pair;

    if (d->at == NUMBERS / 2) {
        make_blocks(&d->b, d->seed, d->stream, d->block);
        d->block += LANES;
        d->at = 0;
    }
    lane = d->at / 2;
    pair = d->at % 2 * 2;
    d->at++;
    return (uint64_t)d->b.word[pair + 1][lane] << 32 | d->b.word[pair][lane];
}

/* The upper half of a product; a type of 128 bits is not there on every machine. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    const uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (uint32_t)middle;

    return a1 * b1 + (middle >> 32) + (other >> 32);
}

/* A number in [0, n), each equally likely: Lemire, "Fast random integer generation in an interval", 2019. */
static uint64_t draw_below(struct draws *d, uint64_t n)
{
    uint64_t x = draw(d);

    if (x * n < n)
        for (const uint64_t bound = -n % n; x * n < bound;)
            x = draw(d);
    return multiply_high(x, n);
}

int64_t random_index(int64_t n, uint64_t seed, uint64_t stream, uint64_t k)
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t word[4];

    philox(word, (const uint32_t[]){ (uint32_t)k, (uint32_t)(k >> 32), (uint32_t)stream, (uint32_t)(stream >> 32) },
           key);
    return (int64_t)multiply_high((uint64_t)word[1] << 32 | word[0], (uint64_t)n);
}

void random_permutation(int64_t *out, int64_t n, uint64_t seed, uint64_t stream)
{
    struct draws d = { .seed = seed, .stream = stream, .at = NUMBERS / 2 };

    for (int64_t i = 0; i < n; i++) { /* Fisher and Yates, from the front */
        const int64_t j = (int64_t)draw_below(&d, (uint64_t)i + 1);

        out[i] = i;
        out[i] = out[j];
        out[j] = i;
    }
}
