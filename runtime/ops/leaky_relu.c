/* LeakyRelu, https://onnx.ai/onnx/operators/onnx__LeakyRelu.html
 *
 *   y = x < 0 ? alpha * x : x        dx = x < 0 ? alpha * dy : dy
 *
 * At 0 the gradient is dy. */
#include "ops/elementwise.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 0.01f);
    return true;
}

/* -- run -- */

#define EXPR(x) (x) < 0 ? alpha *(x) : (x)
#include "ops/unary_types.h"
#undef EXPR

static bool run(struct step *s)
{
    return unary_run(s, s->k->leaky_relu, loops, *(const struct numbers *)s->attrs);
}

/* -- differentiate -- */

#define EXPR(dy, x) (x) < 0 ? alpha *(dy) : (dy)
#define LOOP        grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = grad_f64 };

    return unary_grad_run(s, s->k->leaky_relu_grad, grad_loops, *(const struct numbers *)s->attrs);
}

static const struct op leaky_relu_grad = {
    .name = "LeakyReluGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            UNARY_GRAD_ROW(sizeof(struct numbers), run_grad, CHAIN_OF_GRAD_NUMBERS(leaky_relu_grad)), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &leaky_relu_grad, forward_in(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]~", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f64[1000]~", "", "f64[1000]", 0 },
    { "f32[40001]~", "", "f32[40001]", 0 },
    { "f32[2,3,4]~", "alpha=0.3", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "alpha=0.3", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=-1.5", "f64[5,7]", 1 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, .infer = unary_infer, .run = run, .chain = CHAIN_OF_NUMBERS(leaky_relu), .gradient = gradient, \
        .flags = OP_ELEMENTWISE, .cases = cases                                                                        \
    }

const struct op op_leaky_relu = {
    .name = "LeakyRelu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(16, "T: floats bf16"),
            ROW(6, "T: floats"),
            { 0 },
        },
};
