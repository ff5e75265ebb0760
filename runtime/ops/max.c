/* Max, https://onnx.ai/onnx/operators/onnx__Max.html
 *
 *   max = the greatest of all inputs, element by element, broadcast; NaN where one is NaN
 *
 * The gradient goes to the inputs that are the greatest; where several are, each gets the same part of it. */
#define NAME  max
#define VALUE (a > b || a != a ? a : b)
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL

/* -- run -- */

static bool run(struct step *s)
{
    return variadic_run(s, &formula_max);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T data_0... -> T max", .types = list, .infer = variadic_infer, .run = run,     \
        .chain = CHAIN_OF_2(formula_max), .gradient = extremum_gradient, .flags = OP_ELEMENTWISE,                      \
        .cases = extremum_cases                                                                                        \
    }

const struct op op_max = {
    .name = "Max",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16 ints uints"),
            ROW(12, "T: floats ints uints"),
            ROW(8, "T: floats"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
