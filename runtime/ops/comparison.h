/* The loops of a comparison for every type of number, in the table `loops`, and `run` for its rows, which COMPARISON_PARTS
 * (elementwise.h) names. Needs
 *   NAME     in lower case: less
 *   EXPR     y, of a and b
 *   OWN_RUN  where it is defined, the operator takes other types too: it has a `run` of its own
 * and forgets all of them. */
#include "ops/elementwise.h"

#define RESULT uint8_t
#define LOOP   GLUE(NAME, _, f32)
#define T      float
#include "ops/binary_body.h"
#define LOOP GLUE(NAME, _, f64)
#define T    double
#include "ops/binary_body.h"
#define BODY "ops/binary_body.h"
#define INTS
#define UINTS
#include "ops/each_integer.h"

static elementwise_loop *const loops[DTYPES] = {
    [F32] = GLUE(NAME, _, f32), [F64] = GLUE(NAME, _, f64) INTEGER_PLACES
};

#ifndef OWN_RUN
static bool run(struct step *s)
{
    const struct elementwise e = { .loop = loops[dtype_compute(s->in[0]->dtype)] };

    return elementwise(s, &e, s->out[0], 2, s->in);
}
#endif
#undef NAME
#undef EXPR
#undef OWN_RUN
#undef RESULT
#undef INTS
#undef UINTS
