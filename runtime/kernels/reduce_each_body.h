/* The loops of a reduction for each type of number: NAME_f32_row and so on. reduce.c includes this once for each
 * reduction. NAME, EMPTY, COMBINE(a, b) and MAP(a) as in reduce_body.h, MAP_U(a) of integers without a sign. Forgets
 * all of them.
 *
 * Floats are reduced in double. Integers are kept modulo 2^64, which is right modulo 2^32 too. A mean divides the
 * wrapped sum, towards zero, as numpy does; the root and the logarithm of an integer are truncated, the logarithm of
 * what has none is the least value. */
#define ACC double
#define FINISH(f, a, n)                                                                                                \
    ((f) == MEAN ? (a) / (double)(n) : (f) == ROOT ? sqrt(a) : (f) == LOGARITHM ? log(a) : (double)(a))
#define REDUCE(f) GLUE(NAME, _f32_, f)
#define T         float
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _f64_, f)
#define T         double
#define ACC       double
#include "kernels/reduce_body.h"
#undef FINISH

#define FINISH(f, a, n)                                                                                                \
    ((f) == MEAN        ? ((n) ? (int64_t)(T)(a) / (n) : 0)                                                            \
     : (f) == ROOT      ? (int64_t)sqrt((double)(a))                                                                   \
     : (f) == LOGARITHM ? (int64_t)(a) > 0 ? (int64_t)log((double)(a)) : LEAST                                         \
                        : (int64_t)(a))
#define REDUCE(f) GLUE(NAME, _i32_, f)
#define T         int32_t
#define ACC       uint64_t
#define LEAST     INT32_MIN
#include "kernels/reduce_body.h"
#undef LEAST
#define REDUCE(f) GLUE(NAME, _i64_, f)
#define T         int64_t
#define ACC       uint64_t
#define LEAST     INT64_MIN
#include "kernels/reduce_body.h"
#undef LEAST
#undef FINISH
#undef MAP

#define MAP MAP_U
#define FINISH(f, a, n)                                                                                                \
    ((f) == MEAN        ? ((n) ? (uint64_t)(T)(a) / (uint64_t)(n) : 0)                                                 \
     : (f) == ROOT      ? (uint64_t)sqrt((double)(a))                                                                  \
     : (f) == LOGARITHM ? (a) ? (uint64_t)log((double)(a)) : 0                                                         \
                        : (uint64_t)(a))
#define REDUCE(f) GLUE(NAME, _u32_, f)
#define T         uint32_t
#define ACC       uint64_t
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _u64_, f)
#define T         uint64_t
#define ACC       uint64_t
#include "kernels/reduce_body.h"
#undef FINISH
#undef NAME
#undef EMPTY
#undef COMBINE
#undef MAP
#undef MAP_U
