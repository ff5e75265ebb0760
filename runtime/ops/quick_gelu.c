/* QuickGelu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = X * sigmoid(alpha * X)        the standard's Swish, with an alpha of 1.702 where none is given */
#include "ops/op.h"
#include <stdio.h>

struct quick_gelu {
    float alpha;
};

static bool parse(struct parse *p, void *attrs)
{
    ((struct quick_gelu *)attrs)->alpha = attr_float(p, "alpha", 1.702f);
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    char alpha[48];

    snprintf(alpha, sizeof alpha, "alpha=%.9e", (double)((const struct quick_gelu *)n->attrs)->alpha);
    out[0] = emit(e, "Swish", alpha, 1, n->in[0]);
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "f64[5]", "alpha=-0.5", "f64[5]", 1 },
    { "f16[3,5]", "alpha=1.0", "f16[3,5]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_quick_gelu = {
    .name = "QuickGelu",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct quick_gelu),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
