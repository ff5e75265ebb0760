/* What a run makes whose size nobody could know before: tensors of unknown shape, sequences, strings. Everything on a
 * heap ends together (heap_reset, at the start of the next run), but a single block may be given back earlier.
 * Budgeted. */
#ifndef KILN_TENSOR_HEAP_H
#define KILN_TENSOR_HEAP_H

#include "tensor/tensor.h"

struct heap {
    struct budget *budget;
    struct heap_block *blocks; /* doubly linked */
};

void *heap_alloc(struct heap *h, size_t bytes, struct report *r); /* 64-byte aligned, not zeroed */
void heap_free(struct heap *h, void *p);
void heap_reset(struct heap *h);
struct string *heap_string(struct heap *h, const char *bytes, size_t length, struct report *r);
/* A deep copy: data, items, strings. `to` is written whole or not at all. */
bool heap_copy(struct heap *h, struct tensor *to, const struct tensor *from, struct report *r);

#endif
