/* Softplus, https://onnx.ai/onnx/operators/onnx__Softplus.html
 *
 *   y = ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|))        dx = dy / (1 + exp(-x))
 *
 * NaN stays NaN, by way of the logarithm. */
#include "ops/elementwise.h"
#include <math.h>

/* -- run -- */

#define EXPR(x) ((x) > 0 ? (x) : 0) + log1p(exp(-fabs(x)))
#include "ops/unary_types.h"
#undef EXPR

static bool run(struct step *s)
{
    return unary_run(s, s->k->softplus, loops, (struct numbers){ 0 });
}

/* -- differentiate -- */

#define EXPR(dy, x) (x) < 0 ? (dy)*exp(x) / (1 + exp(x)) : (dy) / (1 + exp(-(x)))
#define LOOP        grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = grad_f64 };

    return unary_grad_run(s, s->k->softplus_grad, grad_loops, (struct numbers){ 0 });
}

static const struct op softplus_grad = {
    .name = "SoftplusGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(0, run_grad, CHAIN_OF_GRAD(softplus_grad)), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &softplus_grad, forward_in(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 }, { "f64[5,7]", "", "f64[5,7]", 1 },     { "f16[3,5]", "", "f16[3,5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },   { "f32[]", "", "f32[]", 1 },           { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f64[1000]", "", "f64[1000]", 0 },   { "f32[40001]", "", "f32[40001]", 0 }, { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .infer = unary_infer, .run = run,                  \
        .chain = CHAIN_OF_1(softplus), .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = cases                   \
    }

const struct op op_softplus = {
    .name = "Softplus",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16"),
            ROW(1, "T: floats"),
            { 0 },
        },
};
