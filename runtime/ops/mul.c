/* Mul, https://onnx.ai/onnx/operators/onnx__Mul.html
 *
 *   C = A * B        dA = dC * B, dB = dC * A, summed over what was broadcast
 *
 * Integers wrap around. */
#define NAME    mul
#define VALUE   (a * b)
#define INTEGER ((W)a * (W)b)
#define PRODUCT true
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"

enum { A, B };

/* -- run -- */

static bool run(struct step *s)
{
    return binary_run(s, &formula_mul);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    if (wants(b, A))
        give_unbroadcast(b, A, emit(emitter_of(b), "Mul", "", 2, upstream(b, 0), forward_in(b, B)));
    if (wants(b, B))
        give_unbroadcast(b, B, emit(emitter_of(b), "Mul", "", 2, upstream(b, 0), forward_in(b, A)));
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_UNLESS_SCALAR, 0, "factor", "ones", NULL },
    { PARAMETER_TRAINS_UNLESS_SCALAR, 1, "factor", "ones", NULL },
    { 0 },
};

const struct op op_mul = {
    .name = "Mul",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ARITHMETIC_ROWS(formula_mul, parameters, arithmetic_cases),
            { 0 },
        },
};

#endif
