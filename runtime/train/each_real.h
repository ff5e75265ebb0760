/* Includes LOOPS, the file that includes this, once for each type that a parameter can have. There REAL is the type,
 * NAME(apply) the function's name, UPDATE what it is given. No include guard: each file has this made for itself.
 *
 *     #ifndef REAL
 *     #define LOOPS "train/optimizers/NAME.c"
 *     #include "train/each_real.h"
 *     ... the row
 *     #else
 *     static bool NAME(apply)(const struct UPDATE *u)
 *     #endif
 */
#include "kernels/loop.h"

#define REAL        float
#define NAME(loop)  loop##_float
#define UPDATE      update
#define SQRT        sqrtf
#define POW         powf
#define ABS         fabsf
#define ALL_FINITE  all_finite
#define SUM_SQUARES sum_squares
#include LOOPS
#undef REAL
#undef NAME
#undef UPDATE
#undef SQRT
#undef POW
#undef ABS
#undef ALL_FINITE
#undef SUM_SQUARES

#define REAL        double
#define NAME(loop)  loop##_double
#define UPDATE      update_double
#define SQRT        sqrt
#define POW         pow
#define ABS         fabs
#define ALL_FINITE  all_finite_double
#define SUM_SQUARES sum_squares_double
#include LOOPS
#undef REAL
#undef NAME
#undef UPDATE
#undef SQRT
#undef POW
#undef ABS
#undef ALL_FINITE
#undef SUM_SQUARES
