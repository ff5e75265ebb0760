/* DynamicQuantizeMatMul of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = MatMulInteger(a, B, a_zero_point, b_zero_point) * (a_scale * b_scale) + bias
 *   a, a_scale, a_zero_point = DynamicQuantizeLinear(A)
 *
 * What onnxruntime makes of these and what stands between them. b_scale, as its zero point, is one number or one for each
 * column. */
#include "ops/expansion.h"

enum { A, B, B_SCALE, B_ZERO_POINT, BIAS };

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *a[3], *sum;

    if (!emit_many(e, "DynamicQuantizeLinear", "", 3, a, 1, n->in))
        return false;
    sum = emit(e, "MatMulInteger", "", 4, a[0], n->in[B], a[2], given(n, B_ZERO_POINT));
    out[0] = emit(e, "Mul", "", 2, emit_cast(e, sum, F32), emit(e, "Mul", "", 2, a[1], n->in[B_SCALE]));
    if (given(n, BIAS))
        out[0] = emit(e, "Add", "", 2, out[0], n->in[BIAS]);
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[3,4] i8[4,5] f32[]+", "", "f32[3,5]", 0 },
    { "f32[2,3,4] u8[4,5] f32[5]+ u8[5] f32[5]", "", "f32[2,3,5]", 0 },
    { "f32[3,4] i8[4,5] f32[1]+ - f32[5]", "", "f32[3,5]", 0 },
    { "f32[0,4] i8[4,5] f32[]+ i8[]", "", "f32[0,5]", 0 },
    { 0 },
};

const struct op op_dynamic_quantize_matmul = {
    .name = "DynamicQuantizeMatMul",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 A, T2 B, T1 b_scale, T2 b_zero_point?, T1 bias? -> T1 Y",
                                       .types = "T1: f32; T2: i8 u8",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
