/* Exp, https://onnx.ai/onnx/operators/onnx__Exp.html
 *
 *   y = exp(x)        dx = dy * y */
#define OPERATOR "Exp"
#define NAME     exp
#define VALUE    EXP(x)
#define WORK     EXPONENTIAL
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);

    if (wants(b, 0))
        give(b, 0, emit(e, "Mul", "", 2, upstream(b, 0), forward_out(b, 0)));
    return backward_ok(b);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, UNARY_PARTS, .cases = unary_cases         \
    }

const struct op op_exp = {
    .name = "Exp",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
