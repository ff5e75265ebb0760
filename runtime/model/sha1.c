#include "model/sha1.h"
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void compress(uint32_t state[5], const uint8_t block[64])
{
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    for (int t = 0; t < 80; t++) {
        uint32_t f, k, next;

        w[t] = t < 16 ? word(block + 4 * t) : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        if (t < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (t < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;
        } else if (t < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }
        next = rotate(a, 5) + f + e + k + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1_init(struct sha1 *s)
{
    *s = (struct sha1){ .state = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 } };
}

void sha1_add(struct sha1 *s, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;

    while (size) {
        const size_t at = s->length % 64, room = 64 - at, n = size < room ? size : room;

        memcpy(s->block + at, p, n);
        s->length += n;
        p += n;
        size -= n;
        if (at + n == 64)
            compress(s->state, s->block);
    }
}

void sha1_end(struct sha1 *s, char hex[SHA1_HEX])
{
    static const uint8_t padding[64] = { 0x80 };
    const uint64_t bits = s->length * 8;
    uint8_t length[8];

    for (int k = 0; k < 8; k++)
        length[k] = (uint8_t)(bits >> (56 - 8 * k));
    sha1_add(s, padding, (s->length % 64 < 56 ? 56 : 120) - s->length % 64);
    sha1_add(s, length, sizeof length);
    for (int k = 0; k < 5; k++)
        snprintf(hex + 8 * k, 9, "%08x", s->state[k]);
}
