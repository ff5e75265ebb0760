/* SHA-1 (FIPS 180-4), the checksum of external data. It tells of damage, not of malice. */
#ifndef KILN_MODEL_SHA1_H
#define KILN_MODEL_SHA1_H

#include <stddef.h>
#include <stdint.h>

struct sha1 {
    uint32_t state[5];
    uint64_t length; /* bytes so far */
    uint8_t block[64];
};

enum { SHA1_HEX = 41 };

void sha1_init(struct sha1 *s);
void sha1_add(struct sha1 *s, const void *bytes, size_t size);
void sha1_end(struct sha1 *s, char hex[SHA1_HEX]); /* 40 digits and NUL */

#endif
