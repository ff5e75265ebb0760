/* Elu, https://onnx.ai/onnx/operators/onnx__Elu.html; Clevert et al., arXiv:1511.07289
 *
 *   y = x < 0 ? alpha * (exp(x) - 1) : x        dx = dy * (x < 0 ? alpha * exp(x) : 1)
 *
 * Where alpha is positive, x < 0 is y < 0, and alpha * exp(x) is y + alpha: the output is saved, and no exponential
 * computed again. */
#include "ops/elementwise.h"
#include <math.h>

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    return true;
}

/* -- run -- */

#define EXPR(x) (x) < 0 ? alpha *expm1(x) : (x)
#include "ops/unary_types.h"
#undef EXPR

static bool run(struct step *s)
{
    return unary_run(s, s->k->elu, loops, *(const struct numbers *)s->attrs);
}

/* -- differentiate -- */

#define EXPR(dy, y) (y) < 0 ? (dy) * ((y) + alpha) : (dy)
#define LOOP        of_y_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = of_y_f64 };

    return unary_grad_run(s, s->k->elu_grad_y, grad_loops, *(const struct numbers *)s->attrs);
}

static const struct op elu_grad = {
    .name = "EluGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){ UNARY_GRAD_ROW(sizeof(struct numbers), run_grad, CHAIN_OF_GRAD_NUMBERS(elu_grad_y)),
                                 { 0 } },
};

#define EXPR(dy, x) (x) < 0 ? (dy) * (alpha * exp(x)) : (dy)
#define LOOP        of_x_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad_of_x(struct step *s)
{
    static elementwise_loop *const grad_loops[DTYPES] = { [F64] = of_x_f64 };

    return unary_grad_run(s, s->k->elu_grad, grad_loops, *(const struct numbers *)s->attrs);
}

static const struct op elu_grad_of_x = {
    .name = "EluGradOfX",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){ UNARY_GRAD_ROW(sizeof(struct numbers), run_grad_of_x, CHAIN_OF_GRAD_NUMBERS(elu_grad)),
                                 { 0 } },
};

static bool gradient(struct backward *b)
{
    const struct numbers *a = attrs_of(b);

    return a->alpha > 0 ? unary_gradient(b, &elu_grad, forward_out(b, 0))
                        : unary_gradient(b, &elu_grad_of_x, forward_in(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=2.5", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=-0.5", "f64[5,7]", 1 },
    { "f32[5,7]~", "alpha=-0.5", "f32[5,7]", 1 },
    { "f64[5,7]~", "alpha=0.0", "f64[5,7]", 1 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]~", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, .infer = unary_infer, .run = run, .chain = CHAIN_OF_NUMBERS(elu), .gradient = gradient,        \
        .flags = OP_ELEMENTWISE, .cases = cases                                                                        \
    }

const struct op op_elu = {
    .name = "Elu",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(6, "T: floats"), { 0 } },
};
