/* Gelu, https://onnx.ai/onnx/operators/onnx__Gelu.html; Hendrycks and Gimpel, arXiv:1606.08415
 *
 *   none   y = x * P(x)               P(x) = (1 + erf(x / sqrt(2))) / 2
 *   tanh   y = x * S(x)               S(x) = (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u))
 *                                     u = sqrt(2 / pi) * (x + 0.044715 * x^3)
 *
 *   none   dx = dy * (P(x) + x * exp(-x^2 / 2) / sqrt(2 pi))
 *   tanh   dx = dy * (S(x) + 2 * x * S(x) * (1 - S(x)) * u')
 *
 * P by erfc and S by exp keep their digits where x is far below 0. */
#include "ops/elementwise.h"
#include <math.h>

enum { NONE, TANH };
struct gelu {
    int approximate;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "none", "tanh", NULL };
    struct gelu *a = attrs;

    a->approximate = attr_choice(p, "approximate", names, NONE);
    return true;
}

/* -- run -- */

#define CUBIC      0.044715
#define ROOT_2_PI  (M_2_SQRTPI * M_SQRT1_2) /* sqrt(2 / pi) */
#define NORMAL(x)  (0.5 * erfc(-(x)*M_SQRT1_2))
#define SMOOTH(x)  (1 / (1 + exp(-2 * ROOT_2_PI * ((x) + CUBIC * (x) * (x) * (x)))))
#define SLOPE(x)   (ROOT_2_PI * (1 + 3 * CUBIC * (x) * (x)))
#define DENSITY(x) (0.5 * ROOT_2_PI * exp(-0.5 * (x) * (x)))

#define EXPR(x) (x) * NORMAL(x)
#define LOOP    none_f64
#define T       double
#include "ops/unary_body.h"
#undef EXPR

#define EXPR(x) (x) * SMOOTH(x)
#define LOOP    tanh_f64
#define T       double
#include "ops/unary_body.h"
#undef EXPR

static bool run(struct step *s)
{
    static elementwise_loop *const loops[][DTYPES] = { [NONE] = { [F64] = none_f64 }, [TANH] = { [F64] = tanh_f64 } };
    const struct gelu *a = s->attrs;

    return unary_run(s, a->approximate == TANH ? s->k->gelu_tanh : s->k->gelu, loops[a->approximate],
                     (struct numbers){ 0 });
}

static bool read_chain(const struct node *n, struct chain_step *s)
{
    const struct gelu *a = n->attrs;

    s->op = a->approximate == TANH ? CHAIN_gelu_tanh : CHAIN_gelu;
    return true;
}

static const struct chain_rule gelu_chain = { CHAIN_gelu, 0, CHAIN_NOTHING, read_chain };

/* -- differentiate -- */

#define EXPR(dy, x) (dy) * (NORMAL(x) + (x)*DENSITY(x))
#define LOOP        none_grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

#define EXPR(dy, x) (dy) * (SMOOTH(x) + 2 * (x)*SMOOTH(x) * (1 - SMOOTH(x)) * SLOPE(x))
#define LOOP        tanh_grad_f64
#define T           double
#include "ops/binary_body.h"
#undef EXPR

static bool run_grad(struct step *s)
{
    static elementwise_loop *const loops[][DTYPES] = {
        [NONE] = { [F64] = none_grad_f64 }, [TANH] = { [F64] = tanh_grad_f64 }
    };
    const struct gelu *a = s->attrs;

    return unary_grad_run(s, a->approximate == TANH ? s->k->gelu_tanh_grad : s->k->gelu_grad, loops[a->approximate],
                          (struct numbers){ 0 });
}

static bool chain_grad(const struct node *n, struct chain_step *s)
{
    const struct gelu *a = n->attrs;

    s->op = a->approximate == TANH ? CHAIN_gelu_tanh_grad : CHAIN_gelu_grad;
    return true;
}

static const struct chain_rule grad_chain = { CHAIN_gelu_grad, 1, 0, chain_grad };

static const struct op gelu_grad = {
    .name = "GeluGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(sizeof(struct gelu), run_grad, &grad_chain), { 0 } },
};

static bool gradient(struct backward *b)
{
    return unary_gradient(b, &gelu_grad, forward_in(b, 0));
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "f64[5,7]", "", "f64[5,7]", 1 },
    { "f32[2,3,4]", "approximate='tanh'", "f32[2,3,4]", 1 },
    { "f64[5,7]", "approximate='tanh'", "f64[5,7]", 1 },
    { "f16[3,5]", "approximate='none'", "f16[3,5]", 0 },
    { "bf16[600]", "approximate='tanh'", "bf16[600]", 0 },
    { "f32[]", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_gelu = {
    .name = "Gelu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 20,
              .signature = "T X -> T Y",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct gelu),
              .parse = parse,
              .infer = unary_infer,
              .run = run,
              .chain = &gelu_chain,
              .gradient = gradient,
              .flags = OP_ELEMENTWISE,
              .cases = cases },
            { 0 },
        },
};
