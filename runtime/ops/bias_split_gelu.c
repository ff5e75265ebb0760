/* BiasSplitGelu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = left * Gelu(right)        the halves of X + bias, along the last dimension */
#include "ops/op.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *sum = emit(e, "Add", "", 2, n->in[0], n->in[1]), *half[2];

    if (!emit_many(e, "Split", "axis=-1 num_outputs=2", 2, half, 1, &sum))
        return false;
    out[0] = emit(e, "Mul", "", 2, half[0], emit(e, "Gelu", "", 1, half[1]));
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4]", "", "f32[2,3,2]", 3 },
    { "f16[2,3,6] f16[6]", "", "f16[2,3,3]", 0 },
    { "f32[0,2,4] f32[4]", "", "f32[0,2,2]", 0 },
    { 0 },
};

const struct op op_bias_split_gelu = {
    .name = "BiasSplitGelu",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1, .signature = "T X, T bias -> T Y", .types = "T: f16 f32", .expand = expand, .cases = cases },
            { 0 } },
};
