/* BiasGelu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   C = Gelu(A + B)        B has one number for each of A's last dimension */
#include "ops/op.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    out[0] = emit(e, "Gelu", "", 1, emit(e, "Add", "", 2, n->in[0], n->in[1]));
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4]", "", "f32[2,3,4]", 3 },
    { "f64[5] f64[5]", "", "f64[5]", 3 },
    { "f16[3,5] f16[5]", "", "f16[3,5]", 0 },
    { "f32[0,3] f32[3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_bias_gelu = {
    .name = "BiasGelu",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1, .signature = "T A, T B -> T C", .types = "T: floats bf16", .expand = expand, .cases = cases },
            { 0 } },
};
