/* States and batches made from a name, as tests/keras/generator.py makes them: so that no dump has to hold them. */
#ifndef KILN_TESTS_GENERATOR_H
#define KILN_TESTS_GENERATOR_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

static inline uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline uint64_t stream(const char *key)
{
    uint64_t h = 0xCBF29CE484222325u;

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001B3u;
    return mix(h);
}

static inline uint64_t hash(uint64_t stream, int64_t i)
{
    return mix(stream + ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u);
}

static inline double uniform(uint64_t stream, int64_t i)
{
    return (double)((int64_t)(hash(stream, i) >> 40) - (1 << 23)) / (1 << 23);
}

static inline uint64_t key_of(const char *format, ...)
{
    char key[256];
    va_list args;

    va_start(args, format);
    vsnprintf(key, sizeof key, format, args);
    va_end(args);
    return stream(key);
}

#endif
