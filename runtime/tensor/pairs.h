/* Maps. Their keys ascend, strings byte by byte, and each is there once: equal maps lie equally. */
#ifndef KILN_TENSOR_PAIRS_H
#define KILN_TENSOR_PAIRS_H

#include "tensor/heap.h"

/* Places in a vector of keys, int64 or strings, in the order of a map; of a key that is there several times that of the
 * last one. `order` has room for all, *count tells how many they are. */
bool keys_in_order(int64_t *order, int64_t *count, const struct tensor *keys, struct budget *b, struct report *r);
/* The type of a map of such tensors. */
struct tensor map_type(enum dtype key, enum dtype value);
/* A map on the heap with copies of keys and as many values, vectors. */
bool map_make(struct tensor *out, const struct tensor *keys, const struct tensor *values, struct heap *h,
              struct report *r);
/* The place of a key, which is an element of the type that the keys have; -1 where it is not there. */
int64_t map_find(const struct pairs *p, const void *key);

#endif
