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

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~ f32[2,3,4]~", "", "f32[2,3,4]", 3 },
    { "f64[5,7]~ f64[7]~", "", "f64[5,7]", 3 },
    { "f64[3,1,5] f64[4,1] f64[5]", "", "f64[3,4,5]", 7 },
    { "f64[1] f64[1] f64[6]~", "", "f64[6]", 0 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f32[3,5]~ f32[]", "", "f32[3,5]", 0 },
    { "f16[3,5] f16[3,1] f16[5]", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]", "", "bf16[600]", 0 },
    { "i8[7] i8[7]", "", "i8[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "u16[2,3]", 0 },
    { "i64[2,3] i64[]", "", "i64[2,3]", 0 },
    { "u64[3]{200,1,100} u64[3]{2,3,4}", "", "u64[3]", 0 },
    { "f32[0,3] f32[1,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T data_0... -> T max", .types = list, .infer = variadic_infer, .run = run,     \
        .chain = CHAIN_OF_2(formula_max), .gradient = extremum_gradient, .flags = OP_ELEMENTWISE, .cases = cases       \
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
            { 0 },
        },
};

#endif
