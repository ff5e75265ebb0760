#include "ops/ordered.h"
#include "kernels/parts.h"
#include <string.h>

enum { OFTEN = 256 }; /* runs after which the time is looked at */

/* Two runs that stand one behind the other, [from, middle) and [middle, end), into `to` as one. */
static void merge(const int64_t *x, int64_t *to, int64_t from, int64_t middle, int64_t end, before_fn *before,
                  const void *context)
{
    int64_t a = from, b = middle;

    for (int64_t k = from; k < end; k++)
        if (a < middle && (b == end || !before(context, x[b], x[a])))
            to[k] = x[a++];
        else
            to[k] = x[b++];
}

bool sort_indices(const struct pool *pool, int64_t *indices, int64_t *other, int64_t n, before_fn *before,
                  const void *context)
{
    int64_t *from = indices, *to = other;

    for (int64_t width = 1; width < n; width *= 2) {
        int64_t *const swap = from;

        for (int64_t at = 0; at < n; at += 2 * width) {
            if (at / (2 * width) % OFTEN == 0 && pool_late(pool))
                return false;
            merge(from, to, at, lesser(at + width, n), lesser(at + 2 * width, n), before, context);
        }
        from = to;
        to = swap;
    }
    if (from != indices)
        memcpy(indices, from, (size_t)n * sizeof *indices);
    return true;
}
