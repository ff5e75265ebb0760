/* SwiGLU, https://onnx.ai/onnx/operators/onnx__SwiGLU.html; Shazeer, arXiv:2002.05202
 *
 *   Y = Swish(A) * B        Swish(a) = a * sigmoid(alpha * a)
 *
 * As nodes, which is the standard's own function: passes make one loop of them. The standard wants A and B of one shape;
 * here others broadcast, as they do in its function. */
#include "ops/op.h"
#include <stdio.h>

struct swiglu {
    float alpha;
};

static bool parse(struct parse *p, void *attrs)
{
    ((struct swiglu *)attrs)->alpha = attr_float(p, "alpha", 1);
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    char alpha[48]; /* as a float, also where it is whole */

    snprintf(alpha, sizeof alpha, "alpha=%.9e", (double)((const struct swiglu *)n->attrs)->alpha);
    out[0] = emit(e, "Mul", "", 2, emit(e, "Swish", alpha, 1, n->in[0]), n->in[1]);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]", 3 }, { "f64[5,7] f64[5,7]", "alpha=0.25", "f64[5,7]", 3 },
    { "f64[5] f64[5]", "alpha=-1.5", "f64[5]", 3 },   { "f16[3,5] f16[3,5]", "alpha=2.0", "f16[3,5]", 0 },
    { "bf16[600] bf16[600]", "", "bf16[600]", 0 },    { "f32[] f32[]", "", "f32[]", 3 },
    { "f32[0,3] f32[0,3]", "", "f32[0,3]", 0 },       { 0 },
};

const struct op op_swiglu = {
    .name = "SwiGLU",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 28,
                                       .signature = "T A, T B -> T Y",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct swiglu),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
