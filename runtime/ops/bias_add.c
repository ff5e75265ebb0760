/* BiasAdd of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = X + bias + skip        bias has one number for each of X's last dimension */
#include "ops/op.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    out[0] = emit(e, "Add", "", 2, emit(e, "Add", "", 2, n->in[0], n->in[1]), n->in[2]);
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4] f32[2,3,4]", "", "f32[2,3,4]", 7 },
    { "f16[2,3,5] f16[5] f16[2,3,5]", "", "f16[2,3,5]", 0 },
    { "f32[0,2,3] f32[3] f32[0,2,3]", "", "f32[0,2,3]", 0 },
    { 0 },
};

const struct op op_bias_add = {
    .name = "BiasAdd",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, T bias, T skip -> T Y",
                                       .types = "T: f16 f32",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
