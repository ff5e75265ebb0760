/* The loops of a reduction to the greatest or the least for each type that has one: NAME_f32_row and so on. reduce.c
 * includes this twice. NAME, COMBINE(a, b) and EMPTY of floats, of integers with and without a sign, of bool. Forgets
 * all of them. */
#define MAP(a)          (a)
#define FINISH(f, a, n) (a)

#define REDUCE(f) GLUE(NAME, _i8_, f)
#define T         int8_t
#define ACC       int8_t
#define EMPTY     EMPTY_INT(8)
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _i32_, f)
#define T         int32_t
#define ACC       int32_t
#undef EMPTY
#define EMPTY EMPTY_INT(32)
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _i64_, f)
#define T         int64_t
#define ACC       int64_t
#undef EMPTY
#define EMPTY EMPTY_INT(64)
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _u8_, f)
#define T         uint8_t
#define ACC       uint8_t
#undef EMPTY
#define EMPTY EMPTY_UINT(8)
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _u32_, f)
#define T         uint32_t
#define ACC       uint32_t
#undef EMPTY
#define EMPTY EMPTY_UINT(32)
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _u64_, f)
#define T         uint64_t
#define ACC       uint64_t
#undef EMPTY
#define EMPTY EMPTY_UINT(64)
#include "kernels/reduce_body.h"
#define REDUCE(f) GLUE(NAME, _bool_, f)
#define T         uint8_t
#define ACC       uint8_t
#undef EMPTY
#define EMPTY EMPTY_BOOL
#include "kernels/reduce_body.h"
#undef COMBINE
#undef EMPTY

#define COMBINE   COMBINE_FLOAT
#define EMPTY     EMPTY_FLOAT
#define REDUCE(f) GLUE(NAME, _f32_, f)
#define T         float
#define ACC       float
#include "kernels/reduce_body.h"
#undef EMPTY
#define EMPTY     (double)EMPTY_FLOAT
#define REDUCE(f) GLUE(NAME, _f64_, f)
#define T         double
#define ACC       double
#include "kernels/reduce_body.h"
#undef COMBINE
#undef EMPTY
#undef MAP
#undef FINISH
#undef NAME
#undef EMPTY_FLOAT
#undef EMPTY_INT
#undef EMPTY_UINT
#undef EMPTY_BOOL
#undef COMBINE_FLOAT
