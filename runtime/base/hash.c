#include "base/hash.h"
#include <string.h>
#include <sys/random.h>

struct hash_key hash_key_new(void)
{
    struct hash_key key;

    if (getrandom(key.k, sizeof key.k, GRND_NONBLOCK) != (ssize_t)sizeof key.k)
        key = (struct hash_key){ { (uint64_t)(uintptr_t)&key } }; /* an address is a poorer secret, but still one */
    return key;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3; Aumasson and Bernstein, https://www.aumasson.jp/siphash/siphash.pdf */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length)
{
    const unsigned char *s = bytes;
    uint64_t v[4] = { key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d, key->k[0] ^ 0x6c7967656e657261,
                      key->k[1] ^ 0x7465646279746573 };
    uint64_t word;
    size_t at;

    for (at = 0; at + 8 <= length; at += 8) {
        memcpy(&word, s + at, 8);
        v[3] ^= word;
        round_of(v);
        v[0] ^= word;
    }
    word = (uint64_t)length << 56;
    for (size_t k = 0; at + k < length; k++)
        word |= (uint64_t)s[at + k] << 8 * k;
    v[3] ^= word;
    round_of(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++)
        round_of(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
