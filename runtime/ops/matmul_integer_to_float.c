/* MatMulIntegerToFloat of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = MatMulInteger(A, B, a_zero_point, b_zero_point) * (a_scale * b_scale) + bias
 *
 * What onnxruntime makes of a MatMulInteger, its Cast and its Mul. b_scale, as its zero point, is one number or one for
 * each column. Products in float16 are rounded on the way. */
#include "ops/expansion.h"

enum { A, B, A_SCALE, B_SCALE, A_ZERO_POINT, B_ZERO_POINT, BIAS };

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *sum =
        emit(e, "MatMulInteger", "", 4, n->in[A], n->in[B], given(n, A_ZERO_POINT), given(n, B_ZERO_POINT));
    struct value *scale = emit(e, "Mul", "", 2, n->in[A_SCALE], n->in[B_SCALE]);

    out[0] = emit(e, "Mul", "", 2, emit(e, "CastLike", "", 2, sum, n->in[A_SCALE]), scale);
    if (given(n, BIAS))
        out[0] = emit(e, "Add", "", 2, out[0], n->in[BIAS]);
    return out[0];
}

static const struct op_case cases[] = {
    { "u8[3,4] i8[4,5] f32[]+ f32[]+", "", "f32[3,5]", 0 },
    { "u8[2,3,4] u8[4,5] f32[1]+ f32[5]+ u8[] u8[5] f32[5]", "", "f32[2,3,5]", 0 },
    { "i8[3,4] i8[4,5] f16[]+ f16[]+ - i8[] f16[5]", "", "f16[3,5]", 0 },
    { "u8[0,4] i8[4,5] f32[]+ f32[]+", "", "f32[0,5]", 0 },
    { 0 },
};

const struct op op_matmul_integer_to_float = {
    .name = "MatMulIntegerToFloat",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 A, T2 B, T3 a_scale, T3 b_scale, T1 a_zero_point?, T2 "
                                                    "b_zero_point?, T3 bias? -> T3 Y",
                                       .types = "T1: i8 u8; T2: i8 u8; T3: f32 f16",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
