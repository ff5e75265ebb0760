/* Sorting indices: what Unique and NonMaxSuppression share. */
#ifndef KILN_OPS_ORDERED_H
#define KILN_OPS_ORDERED_H

#include "ops/op.h"

/* Does what index a stands for come before what b does? */
typedef bool before_fn(const void *context, int64_t a, int64_t b);

/* Sorts n indices; those of which neither comes before the other stay in their order. `other` is room for as many. False
 * where the time is over: they are in no order then. */
bool sort_indices(const struct pool *pool, int64_t *indices, int64_t *other, int64_t n, before_fn *before,
                  const void *context);

#endif
