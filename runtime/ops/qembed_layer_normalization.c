/* QEmbedLayerNormalization of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * EmbedLayerNormalization of tables, gamma and beta that are quantised, each with one scale and one zero point. Only the
 * rows that are picked are dequantised. */
#include "ops/embedding.h"
#include "ops/expansion.h"
#include "ops/normalised.h"

enum {
    IDS,
    SEGMENT_IDS,
    WORD,
    POSITION,
    SEGMENT,
    GAMMA,
    BETA,
    MASK,
    WORD_SCALE,
    POSITION_SCALE,
    SEGMENT_SCALE,
    GAMMA_SCALE,
    BETA_SCALE,
    WORD_ZERO,
    POSITION_ZERO,
    SEGMENT_ZERO,
    GAMMA_ZERO,
    BETA_ZERO
};

static bool parse(struct parse *p, void *attrs)
{
    const bool segments = input_given(p, SEGMENT_IDS);

    if (segments != input_given(p, SEGMENT) || segments != input_given(p, SEGMENT_SCALE) ||
        segments != input_given(p, SEGMENT_ZERO))
        return parse_error(p, "'segment_ids', 'segment_embedding', its scale and its zero point come together");
    return epsilon_parse(p, attrs, 1e-12f);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *sum;
    const struct embedding m = {
        .ids = { n->in[IDS], NULL, n->in[SEGMENT_IDS] },
        .table = { n->in[WORD], n->in[POSITION], n->in[SEGMENT] },
        .scale = { n->in[WORD_SCALE], n->in[POSITION_SCALE], n->in[SEGMENT_SCALE] },
        .zero = { n->in[WORD_ZERO], n->in[POSITION_ZERO], n->in[SEGMENT_ZERO] },
        .gamma = emit(e, "DequantizeLinear", "", 3, n->in[GAMMA], n->in[GAMMA_SCALE], n->in[GAMMA_ZERO]),
        .beta = emit(e, "DequantizeLinear", "", 3, n->in[BETA], n->in[BETA_SCALE], n->in[BETA_ZERO]),
        .mask = n->in[MASK],
        .epsilon = *(const float *)n->attrs
    };

    return emit_embedding(e, &m, &out[0], &out[1], &sum);
}

static const struct op_case cases[] = {
    { "i32[2,3]{1,0,4,3,3,2} i32[2,3]{1,0,1,0,0,1} u8[5,4] u8[6,4] u8[2,4] u8[4] u8[4] i32[2,3]{1,1,0,1,1,1} f32[]+ "
      "f32[]+ f32[]+ f32[]+ f32[]+ u8[] u8[] u8[] u8[] u8[]",
      "", "f32[2,3,4] i32[2]", 0 },
    { "i32[2,3]{1,0,4,3,3,2} - i8[5,4] i8[6,4] - i8[4] i8[4] - f32[]+ f32[]+ - f32[]+ f32[]+ i8[] i8[] - i8[] i8[]",
      "epsilon=1e-3", "f32[2,3,4] i32[2]", 0 },
    { "i32[0,3] - i8[5,4] i8[6,4] - i8[4] i8[4] - f32[]+ f32[]+ - f32[]+ f32[]+ i8[] i8[] - i8[] i8[]", "",
      "f32[0,3,4] i32[0]", 0 },
    { 0 },
};

const struct op op_qembed_layer_normalization = {
    .name = "QEmbedLayerNormalization",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T1 input_ids, T1 segment_ids?, T2 word_embedding_quant, T2 position_embedding_quant, T2 "
                           "segment_embedding?, T2 gamma_quant, T2 beta_quant, T1 mask?, T word_embedding_scale, T "
                           "position_embedding_scale, T segment_embedding_scale?, T gamma_scale, T beta_scale, T2 "
                           "word_embedding_zero_point, T2 position_embedding_zero_point, T2 "
                           "segment_embedding_zero_point?, T2 gamma_zero_point, T2 beta_zero_point -> T "
                           "layernorm_out, T1 mask_index_out",
              .types = "T1: i32; T2: i8 u8; T: f32",
              .attrs_size = sizeof(float),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
