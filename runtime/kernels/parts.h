/* How sizes are cut into parts. */
#ifndef KILN_KERNELS_PARTS_H
#define KILN_KERNELS_PARTS_H

#include <stdint.h>

struct span {
    int64_t from, to;
};

static inline int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
static inline int64_t divide_up(int64_t n, int64_t by) /* by > 0; n of any sign */
{
    return n > 0 ? (n + by - 1) / by : -(-n / by);
}
static inline int64_t divide_down(int64_t n, int64_t by)
{
    return -divide_up(-n, by);
}
static inline int64_t round_up(int64_t n, int64_t to) /* a multiple */
{
    return divide_up(n, to) * to;
}
static inline int64_t common_divisor(int64_t a, int64_t b) /* the greatest */
{
    while (b) {
        const int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}
/* Of `count` cut into parts that are all about as large, part p is [even_start(p), even_start(p + 1)). */
static inline int64_t even_start(int64_t count, int64_t parts, int64_t p)
{
    return count / parts * p + lesser(p, count % parts);
}

#endif
