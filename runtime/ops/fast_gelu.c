/* FastGelu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = Gelu of X + bias, by tanh: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) */
#include "ops/expansion.h"

enum { X, BIAS };

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *x = given(n, BIAS) ? emit(e, "Add", "", 2, n->in[X], n->in[BIAS]) : n->in[X];

    out[0] = emit(e, "Gelu", "approximate='tanh'", 1, x);
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4]", "", "f32[2,3,4]", 3 }, { "f64[2,5]", "", "f64[2,5]", 1 },
    { "f16[3,5] f16[5]", "", "f16[3,5]", 0 },     { "bf16[3]", "", "bf16[3]", 0 },
    { "f32[0,3] f32[3]", "", "f32[0,3]", 0 },     { 0 },
};

const struct op op_fast_gelu = {
    .name = "FastGelu",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, T bias? -> T Y",
                                       .types = "T: floats bf16",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
