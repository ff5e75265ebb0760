/* Range of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's Range; a delta that is left out is 1, and all of them may be vectors of one. */
#include "ops/expansion.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *x[3];

    for (int k = 0; k < 2; k++)
        x[k] = emit_reshape(e, n->in[k], 0, NULL);
    x[2] = given(n, 2) ? emit_reshape(e, n->in[2], 0, NULL) : emit(e, "CastLike", "", 2, emit_scalar(e, I64, 1), x[0]);
    return emit_many(e, "Range", "", 1, out, 3, x);
}

static const struct op_case cases[] = {
    { "f32[]{1} f32[]{4}", "", "f32[3]", 0 },
    { "i64[1]{7} i64[1]{1} i64[1]{-2}", "", "i64[3]", 0 },
    { "i16[]{3} i16[]{1}", "", "i16[0]", 0 },
    { 0 },
};

const struct op op_microsoft_range = {
    .name = "Range",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T start, T limit, T delta? -> T Y",
                                       .types = "T: f32 f64 i16 i32 i64",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
