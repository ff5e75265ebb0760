/* Reciprocal, https://onnx.ai/onnx/operators/onnx__Reciprocal.html
 *
 *   y = 1 / x        dx = -dy * y^2 */
#include "ops/elementwise.h"

/* -- run -- */

#define EXPR(x) 1 / (x)
#include "ops/unary_types.h"
#undef EXPR

static bool run(struct step *s)
{
    return unary_run(s, s->k->reciprocal, loops, (struct numbers){ 0 });
}

/* -- differentiate -- */

#define EXPR(dy, y) -(dy) * (y) * (y)
#define LOOP        grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = grad_f64 };

    return unary_grad_run(s, s->k->reciprocal_grad, grad_loops, (struct numbers){ 0 });
}

static const struct op reciprocal_grad = {
    .name = "ReciprocalGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(0, run_grad, CHAIN_OF_GRAD(reciprocal_grad)), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &reciprocal_grad, forward_out(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]+", "", "f32[2,3,4]", 1 }, { "f64[5,7]+", "", "f64[5,7]", 1 },     { "f16[3,5]+", "", "f16[3,5]", 0 },
    { "bf16[600]+", "", "bf16[600]", 0 },   { "f32[]+", "", "f32[]", 1 },           { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f64[1000]+", "", "f64[1000]", 0 },   { "f32[40001]+", "", "f32[40001]", 0 }, { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .infer = unary_infer, .run = run,                  \
        .chain = CHAIN_OF_1(reciprocal), .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = cases                 \
    }

const struct op op_reciprocal = {
    .name = "Reciprocal",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16"),
            ROW(6, "T: floats"),
            { 0 },
        },
};
