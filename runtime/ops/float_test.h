/* IsNaN and IsInf: loops of every floating-point type into bools, and float_test, which runs them. Needs
 *   EXPR  y, of x, a T; may use alpha and beta (struct numbers)
 * and forgets it. Float8 types are widened to tell. */
#include "ops/convert.h"
#include "ops/elementwise.h"
#include <math.h>

#define RESULT uint8_t
#define LOOP   loop_f32
#define T      float
#include "ops/unary_body.h"
#define LOOP loop_f64
#define T    double
#include "ops/unary_body.h"

/* Of the type that `attrs` of a span is. */
static void loop_small(const struct elements *s)
{
    typedef float T;
    const enum dtype dtype = *(const enum dtype *)s->attrs;
    const T alpha = s->numbers.alpha, beta = s->numbers.beta;
    const uint8_t *const from = s->x[0];
    uint8_t *const y = s->y;

    (void)alpha;
    (void)beta;
    for (int64_t k = 0; k < s->n; k++) {
        const T x = small_to_f32(dtype, from[k]);

        y[k] = (uint8_t)(EXPR);
    }
}
#undef RESULT
#undef EXPR

static bool float_test(struct step *s, struct numbers numbers)
{
    const enum dtype dtype = s->in[0]->dtype;
    const bool small = dtype_is_small(dtype);
    const struct elementwise e = { .loop = small          ? loop_small
                                           : dtype == F64 ? loop_f64
                                                          : loop_f32,
                                   .x_as = { small ? dtype : UNDEFINED },
                                   .span = { .attrs = &dtype, .numbers = numbers } };

    return elementwise(s, &e, s->out[0], 1, s->in);
}
