/* Erf, https://onnx.ai/onnx/operators/onnx__Erf.html
 *
 *   y = 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x        dx = dy * 2 / sqrt(pi) * exp(-x^2)
 *
 * Of integers it is computed in double, rounded to float and truncated, as the reference does: 0, 1 or -1. */
#include "ops/elementwise.h"
#include <math.h>

/* -- run -- */

#define IS_INT  (!((T)1 / (T)2))
#define EXPR(x) IS_INT ? (double)(float)erf((double)(x)) : erf((double)(x))
#define WITH_INTS
#define WITH_UINTS
#include "ops/unary_types.h"
#undef EXPR

static bool run(struct step *s)
{
    return unary_run(s, s->k->erf, loops, (struct numbers){ 0 });
}

/* -- differentiate -- */

#define EXPR(dy, x) (dy) * (M_2_SQRTPI * exp(-(x) * (x)))
#define LOOP        grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = grad_f64 };

    return unary_grad_run(s, s->k->erf_grad, grad_loops, (struct numbers){ 0 });
}

static const struct op erf_grad = {
    .name = "ErfGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(0, run_grad, CHAIN_OF_GRAD(erf_grad)), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &erf_grad, forward_in(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 }, { "f64[5,7]", "", "f64[5,7]", 1 }, { "f16[3,5]", "", "f16[3,5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },   { "f32[]", "", "f32[]", 1 },       { "f32[0,3]", "", "f32[0,3]", 0 },
    { "i8[7]", "", "i8[7]", 0 },           { "i16[7]", "", "i16[7]", 0 },     { "i32[7]", "", "i32[7]", 0 },
    { "i64[7]", "", "i64[7]", 0 },         { "u8[7]", "", "u8[7]", 0 },       { "u16[7]", "", "u16[7]", 0 },
    { "u32[7]", "", "u32[7]", 0 },         { "u64[7]", "", "u64[7]", 0 },     { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list, .infer = unary_infer, .run = run,         \
        .chain = CHAIN_OF_1(erf), .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = cases                        \
    }

const struct op op_erf = {
    .name = "Erf",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "T: floats bf16"), ROW(9, "T: floats ints uints"), { 0 } },
};
