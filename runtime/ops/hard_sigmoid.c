/* HardSigmoid, https://onnx.ai/onnx/operators/onnx__HardSigmoid.html
 *
 *   y = max(0, min(1, alpha * x + beta))        dx = 0 < alpha * x + beta < 1 ? alpha * dy : 0
 *
 * At the two bends the gradient is 0. */
#include "ops/elementwise.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 0.2f);
    a->beta = attr_float(p, "beta", 0.5f);
    return true;
}

/* -- run -- */

#define LINE(x) (alpha * (x) + beta)
#define EXPR(x) LINE(x)<0 ? 0 : LINE(x)> 1 ? 1 : LINE(x)
#include "ops/unary_types.h"
#undef EXPR

static bool run(struct step *s)
{
    return unary_run(s, s->k->hard_sigmoid, loops, *(const struct numbers *)s->attrs);
}

/* -- differentiate -- */

#define EXPR(dy, x) LINE(x) > 0 && LINE(x) < 1 ? alpha *(dy) : 0
#define LOOP        grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = grad_f64 };

    return unary_grad_run(s, s->k->hard_sigmoid_grad, grad_loops, *(const struct numbers *)s->attrs);
}

static const struct op hard_sigmoid_grad = {
    .name = "HardSigmoidGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            UNARY_GRAD_ROW(sizeof(struct numbers), run_grad, CHAIN_OF_GRAD_NUMBERS(hard_sigmoid_grad)), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &hard_sigmoid_grad, forward_in(b, 0));
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
    { "f32[2,3,4]~", "alpha=0.5 beta=0.6", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "alpha=0.5 beta=0.6", "f64[5,7]", 1 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, .infer = unary_infer, .run = run, .chain = CHAIN_OF_NUMBERS(hard_sigmoid),                     \
        .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = cases                                                  \
    }

const struct op op_hard_sigmoid = {
    .name = "HardSigmoid",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16"),
            ROW(6, "T: floats"),
            { 0 },
        },
};
