/* Swish, https://onnx.ai/onnx/operators/onnx__Swish.html
 *
 *   y = x * sigmoid(alpha * x)
 *
 * As nodes, which is the standard's own function: passes make one loop of them, as of what exporters have written before
 * there was a Swish (struct formula, times_x). See Ramachandran et al., arXiv:1710.05941. */
#include "ops/op.h"

struct swish {
    float alpha;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    ((struct swish *)attrs)->alpha = attr_float(p, "alpha", 1);
    return true;
}

/* -- expand -- */

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const float alpha = ((const struct swish *)n->attrs)->alpha;
    struct value *x = n->in[0], *scaled = x;

    if (alpha != 1)
        scaled = emit(e, "Mul", "", 2, x, emit(e, "CastLike", "", 2, emit_scalar(e, F32, (double)alpha), x));
    out[0] = emit(e, "Mul", "", 2, x, emit(e, "Sigmoid", "", 1, scaled));
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },      { "f64[5,7]", "alpha=0.25", "f64[5,7]", 1 },
    { "f64[5]", "alpha=-1.5", "f64[5]", 1 },    { "f16[3,5]", "alpha=2.0", "f16[3,5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },        { "f32[]", "", "f32[]", 1 },
    { "f32[0,3]", "alpha=2.0", "f32[0,3]", 0 }, { 0 },
};

const struct op op_swish = {
    .name = "Swish",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 24,
                                       .signature = "T X -> T Y",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct swish),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
