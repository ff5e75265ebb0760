/* A hash of bytes that nobody can foresee who does not know the key: what a file holds cannot be chosen so that it
 * collides. */
#ifndef KILN_BASE_HASH_H
#define KILN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k[2];
};

struct hash_key hash_key_new(void); /* another one each time */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length);

#endif
