/* Gelu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's Gelu, which came with opset 20, in files of older ones. */
#include "ops/op.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    out[0] = emit(e, "Gelu", "", 1, n->in[0]);
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "f64[5]", "", "f64[5]", 1 },
    { "f16[3,5]", "", "f16[3,5]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_microsoft_gelu = {
    .name = "Gelu",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1, .signature = "T X -> T Y", .types = "T: floats bf16", .expand = expand, .cases = cases },
            { 0 } },
};
