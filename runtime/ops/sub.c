/* Sub, https://onnx.ai/onnx/operators/onnx__Sub.html
 *
 *   C = A - B        dA = dC, dB = -dC, summed over what was broadcast
 *
 * Integers wrap around. */
#define NAME    sub
#define VALUE   (a - b)
#define INTEGER ((W)a - (W)b)
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"

enum { A, B };

/* -- run -- */

static bool run(struct step *s)
{
    return binary_run(s, &formula_sub);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    give_unbroadcast(b, A, upstream(b, 0));
    if (wants(b, B))
        give_unbroadcast(b, B, emit(emitter_of(b), "Neg", "", 1, upstream(b, 0)));
    return backward_ok(b);
}

/* A constant less what is computed: beta of a BatchNormalization that is written out (train/constants.h). */
static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_UNLESS_SCALAR, A, "minuend", "zeros", NULL },
    { 0 },
};

const struct op op_sub = {
    .name = "Sub",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ARITHMETIC_ROWS(formula_sub, parameters, arithmetic_cases),
            { 0 },
        },
};

#endif
