/* EmbedLayerNormalization of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   embedding_sum = word_embedding[input_ids] + position_embedding[position_ids] + segment_embedding[segment_ids]
 *   output = LayerNormalization(embedding_sum, gamma, beta)
 *   mask_index = how many elements of a row of the mask are 1
 *
 * position_ids are 0, 1 ... where they are left out; mask_index is 0 without a mask. */
#include "ops/embedding.h"
#include "ops/expansion.h"
#include "ops/normalised.h"

enum { IDS, SEGMENT_IDS, WORD, POSITION, SEGMENT, GAMMA, BETA, MASK, POSITION_IDS }; /* inputs */

static bool parse(struct parse *p, void *attrs)
{
    attr_int(p, "mask_index_type", 0);
    if (input_given(p, SEGMENT_IDS) != input_given(p, SEGMENT))
        return parse_error(p, "'segment_ids' and 'segment_embedding' come together");
    return epsilon_parse(p, attrs, 1e-12f);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct embedding m = { .ids = { n->in[IDS], given(n, POSITION_IDS), n->in[SEGMENT_IDS] },
                                 .table = { n->in[WORD], n->in[POSITION], n->in[SEGMENT] },
                                 .gamma = n->in[GAMMA],
                                 .beta = n->in[BETA],
                                 .mask = given(n, MASK),
                                 .epsilon = *(const float *)n->attrs };

    return emit_embedding(e, &m, &out[0], &out[1], &out[2]);
}

#define IDS_CASE "i32[2,3]{1,0,4,3,3,2} "

static const struct op_case cases[] = {
    { IDS_CASE "i32[2,3]{1,0,1,0,0,1} f32[5,4] f32[6,4] f32[2,4] f32[4] f32[4] i32[2,3]{1,1,0,1,1,1}", "",
      "f32[2,3,4] i32[2]", 124 },
    { IDS_CASE "- f32[5,4] f32[6,4] - f32[4] f32[4] - i32[1,3]{2,5,0}", "epsilon=1e-3", "f32[2,3,4] i32[2] f32[2,3,4]",
      108 },
    { IDS_CASE "- f16[5,4] f16[6,4] - f16[4] f16[4] i32[2,3]{2,1,0,1,1,1} i32[2,3]{2,5,0,1,1,2}", "mask_index_type=1",
      "f16[2,3,4] i32[2] f16[2,3,4]", 0 },
    { "i32[0,3] - f32[5,4] f32[6,4] - f32[4] f32[4]", "", "f32[0,3,4] i32[0]", 0 },
    { 0 },
};

const struct op op_embed_layer_normalization = {
    .name = "EmbedLayerNormalization",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 input_ids, T1 segment_ids?, T word_embedding, T "
                                                    "position_embedding, T segment_embedding?, T gamma, T beta, T1 "
                                                    "mask?, T1 position_ids? -> T output, T1 mask_index?, T "
                                                    "embedding_sum?",
                                       .types = "T1: i32; T: f16 f32",
                                       .attrs_size = sizeof(float),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
