/* QGemm of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   S = (A - a_zero_point) (B - b_zero_point) + C, in int32; with transA and transB of what they say
 *   Y = S * (alpha * a_scale * b_scale), without y_scale: a float
 *   Y = saturate(round(S * (alpha * a_scale * b_scale / y_scale)) + y_zero_point)
 *
 * b_scale, as its zero point, is one number or one for each column. */
#include "ops/expansion.h"
#include "ops/rank.h"

enum { A, A_SCALE, A_ZERO_POINT, B, B_SCALE, B_ZERO_POINT, C, Y_SCALE, Y_ZERO_POINT };

struct qgemm {
    float alpha;
    bool trans_a, trans_b;
};

static bool parse(struct parse *p, void *attrs)
{
    struct qgemm *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    a->trans_a = attr_int(p, "transA", 0) != 0;
    a->trans_b = attr_int(p, "transB", 0) != 0;
    return input_given(p, Y_SCALE) == input_given(p, Y_ZERO_POINT) ||
           parse_error(p, "of 'y_scale' and 'y_zero_point' one is left out, must be both or none");
}

static struct value *matrix(struct emitter *e, struct value *v, bool transposed)
{
    return transposed ? emit(e, "Transpose", "perm=[1,0]", 1, v) : v;
}

/* With the factor, what is left to quantise has a scale of 1. */
static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct qgemm *a = n->attrs;
    struct value *sum = emit(e, "MatMulInteger", "", 4, matrix(e, n->in[A], a->trans_a),
                             matrix(e, n->in[B], a->trans_b), n->in[A_ZERO_POINT], n->in[B_ZERO_POINT]);
    struct value *factor = emit(e, "Mul", "", 2, emit_scalar(e, F32, (double)a->alpha), n->in[A_SCALE]);

    factor = emit(e, "Mul", "", 2, factor, n->in[B_SCALE]);
    if (given(n, C))
        sum = emit(e, "Add", "", 2, sum, n->in[C]);
    if (!given(n, Y_SCALE)) {
        out[0] = emit(e, "Mul", "", 2, emit_cast(e, sum, F32), factor);
        return out[0];
    }
    factor = emit(e, "Div", "", 2, factor, n->in[Y_SCALE]);
    out[0] = emit(e, "QuantizeLinear", "", 3, emit(e, "Mul", "", 2, emit_cast(e, sum, F32), factor),
                  emit_scalar(e, F32, 1), n->in[Y_ZERO_POINT]);
    return out[0];
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return given(n, Y_ZERO_POINT) ? known_input(n, Y_ZERO_POINT).dtype : F32;
}

static const struct op_case cases[] = {
    { "u8[3,4] f32[]+ u8[] i8[4,5] f32[]+ i8[] - f32[]+ u8[]", "", "u8[3,5]", 0 },
    { "i8[4,3] f32[]+ i8[] i8[5,4] f32[5]+ i8[5] i32[5] f32[]+ i8[]", "transA=1 transB=1 alpha=.5", "i8[3,5]", 0 },
    { "u8[3,4] f32[]+ u8[] u8[5,4] f32[]+ u8[] i32[1,5]", "transB=1", "f32[3,5]", 0 },
    { "u8[0,4] f32[]+ u8[] u8[4,5] f32[]+ u8[]", "", "f32[0,5]", 0 },
    { 0 },
};

const struct op op_qgemm = {
    .name = "QGemm",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "TA A, T a_scale, TA a_zero_point, TB B, T b_scale, TB "
                                                    "b_zero_point, TC C?, T y_scale?, TYZ y_zero_point? -> TY Y",
                                       .types = "T: f32; TA: i8 u8; TB: i8 u8; TC: i32; TYZ: i8 u8; TY: f32 i8 u8",
                                       .attrs_size = sizeof(struct qgemm),
                                       .parse = parse,
                                       .dtype = told,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
