/* QAttention of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * Attention of com.microsoft whose input and weights are quantised: their product is a MatMulInteger, times input_scale *
 * weight_scale. Scale and zero point of the weights are one number, or one for each column. */
#include "ops/expansion.h"
#include "ops/heads.h"

enum { INPUT, WEIGHTS, BIAS, INPUT_SCALE, WEIGHT_SCALE, MASK, INPUT_ZERO, WEIGHT_ZERO, PAST };

static bool parse(struct parse *p, void *attrs)
{
    if (attr_int(p, "do_rotary", 0) || attr_int(p, "past_present_share_buffer", 0))
        return parse_unsupported(p, "do_rotary and past_present_share_buffer are not supported");
    return heads_parse(p, attrs);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *x =
        emit(e, "MatMulInteger", "", 4, n->in[INPUT], n->in[WEIGHTS], given(n, INPUT_ZERO), given(n, WEIGHT_ZERO));

    x = emit(e, "Mul", "", 2, emit_cast(e, x, F32),
             emit_cast(e, emit(e, "Mul", "", 2, n->in[INPUT_SCALE], n->in[WEIGHT_SCALE]), F32));
    x = emit(e, "Add", "", 2, emit(e, "CastLike", "", 2, x, n->in[BIAS]), n->in[BIAS]);
    return emit_self_attention(e, n, n->attrs, x, NULL, (struct self_inputs){ MASK, PAST, -1 }, out);
}

static const struct op_case cases[] = {
    { "u8[2,3,4] i8[4,12] f32[12] f32[]+ f32[]+ i32[2]{3,1} u8[] i8[]", "num_heads=2", "f32[2,3,4]", 4 },
    { "u8[2,3,4] u8[4,12] f32[12] f32[1]+ f32[12]+ - u8[1] u8[12] f32[2,2,2,1,2]", "num_heads=2 unidirectional=1",
      "f32[2,3,4] f32[2,2,2,4,2]", 4 | 1 << PAST },
    { "i8[2,3,4] i8[4,12] f16[12] f16[]+ f16[]+", "num_heads=2 scale=0.1", "f16[2,3,4]", 0 },
    { "u8[0,3,4] i8[4,12] f32[12] f32[]+ f32[]+", "num_heads=2", "f32[0,3,4]", 0 },
    { 0 },
};

const struct op op_qattention = {
    .name = "QAttention",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T1 input, T2 weight, T3 bias, T3 input_scale, T3 weight_scale, T4 mask_index?, T1 "
                           "input_zero_point?, T2 weight_zero_point?, T3 past? -> T3 output, T3 present?",
              .types = "T1: i8 u8; T2: i8 u8; T3: f16 f32; T4: i32",
              .attrs_size = sizeof(struct heads),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
