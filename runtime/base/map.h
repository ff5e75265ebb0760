/* A hash map from names, or any bytes, to pointers or numbers. Keys are borrowed and must outlive it. The hash is
 * keyed, so that a file cannot choose names that collide. */
#ifndef KILN_BASE_MAP_H
#define KILN_BASE_MAP_H

#include "base/hash.h"
#include "base/memory.h"

struct map {
    struct budget *budget;
    struct map_slot *slots;
    size_t capacity, count;
    struct hash_key key;
};

void map_init(struct map *m, struct budget *b);
void map_release(struct map *m);
/* The slot of a key, made with value NULL if it is new; NULL when memory ran out. */
void **map_put(struct map *m, const char *key, struct report *r);
void *map_get(const struct map *m, const char *key); /* NULL where there is none */
/* The same for keys that may hold NULs. */
void **map_put_bytes(struct map *m, const void *key, size_t length, struct report *r);
void *map_get_bytes(const struct map *m, const void *key, size_t length);
bool map_has(const struct map *m, const char *key);

#endif
