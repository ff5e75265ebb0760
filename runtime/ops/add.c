/* Add, https://onnx.ai/onnx/operators/onnx__Add.html
 *
 *   C = A + B        dA = dC, dB = dC, summed over what was broadcast
 *
 * Integers wrap around. */
#define NAME    add
#define VALUE   (a + b)
#define INTEGER ((W)a + (W)b)
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"

enum { A, B };

/* -- run -- */

static bool run(struct step *s)
{
    return binary_run(s, &formula_add);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    give_unbroadcast(b, A, upstream(b, 0));
    give_unbroadcast(b, B, upstream(b, 0));
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_UNLESS_SCALAR, 0, "summand", "zeros", NULL },
    { PARAMETER_TRAINS_UNLESS_SCALAR, 1, "summand", "zeros", NULL },
    { 0 },
};

const struct op op_add = {
    .name = "Add",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ARITHMETIC_ROWS(formula_add, parameters, arithmetic_cases),
            { 0 },
        },
};

#endif
