/* Attention of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   q, k, v = input weights + bias, split        output = softmax(scale q k' + mask + attention_bias) v
 *
 * k and v of the past stand before the new ones; past and present are one tensor, [2, batch, heads, length, size], keys
 * first. ops/heads.h has what a mask_index may be. A key that it excludes has mask_filter_value added to its score, so
 * that a query all of whose keys are excluded still is a mean of their values, as in onnxruntime. */
#include "ops/expansion.h"
#include "ops/heads.h"

enum { INPUT, WEIGHTS, BIAS, MASK, PAST, SCORE_BIAS, PAST_LENGTH };

struct microsoft_attention {
    struct heads heads;
    struct ints sizes; /* of q, k and v; none: the same */
};

static bool parse(struct parse *p, void *attrs)
{
    struct microsoft_attention *a = attrs;

    if (!heads_parse(p, &a->heads) || !attr_ints(p, "qkv_hidden_sizes", &a->sizes))
        return false;
    attr_int(p, "rotary_embedding_dim", 0);
    if (attr_int(p, "do_rotary", 0) || attr_int(p, "past_present_share_buffer", 0) || input_given(p, PAST_LENGTH))
        return parse_unsupported(p,
                                 "do_rotary, past_present_share_buffer and 'past_sequence_length' are not supported");
    for (int k = 0; k < a->sizes.count; k++)
        if (a->sizes.v[k] < 1 || a->sizes.v[k] % a->heads.heads)
            return parse_error(p, "qkv_hidden_sizes has %lld, must be multiples of num_heads, %lld",
                               (long long)a->sizes.v[k], (long long)a->heads.heads);
    return a->sizes.count == 0 || a->sizes.count == 3 ||
           parse_error(p, "qkv_hidden_sizes has %d numbers, must have 3", a->sizes.count);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct microsoft_attention *a = n->attrs;
    struct value *x = emit(e, "MatMul", "", 2, n->in[INPUT], n->in[WEIGHTS]);

    if (given(n, BIAS))
        x = emit(e, "Add", "", 2, x, n->in[BIAS]);
    return emit_self_attention(e, n, &a->heads, x, a->sizes.count ? &a->sizes : NULL,
                               (struct self_inputs){ MASK, PAST, SCORE_BIAS }, out);
}

/* -- test -- */

enum { WHOLE = 1 << INPUT | 1 << WEIGHTS | 1 << BIAS };

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[4,12] f32[12]", "num_heads=2", "f32[2,3,4]", WHOLE },
    { "f32[2,3,4] f32[4,12] f32[12] i32[2]{3,1}", "num_heads=2 scale=0.3", "f32[2,3,4] f32[2,2,2,3,2]", WHOLE },
    { "f32[2,3,4] f32[4,12] f32[12] i32[4]{3,2,1,0}", "num_heads=1", "f32[2,3,4]", WHOLE },
    { "f32[2,3,4] f32[4,12] f32[12] i32[8]{3,2,5,6,7,8,9,9}", "num_heads=1", "f32[2,3,4]", WHOLE },
    { "f32[2,3,4] f32[4,14] f32[14] i32[2,3]{1,1,0,0,1,1}", "num_heads=2 qkv_hidden_sizes=[4,4,6]", "f32[2,3,6]",
      WHOLE },
    { "f32[1,3,4] f32[4,12] - i32[1,3,5]{1,1,0,0,1,0,1,1,1,0,1,1,1,1,1} f32[2,1,2,2,2]",
      "num_heads=2 unidirectional=1 mask_filter_value=-100.0", "f32[1,3,4] f32[2,1,2,5,2]",
      1 << INPUT | 1 << WEIGHTS | 1 << PAST },
    { "f32[2,2,4] f32[4,12] f32[12] - - f32[1,2,2,2]", "num_heads=2", "f32[2,2,4]", WHOLE | 1 << SCORE_BIAS },
    { "f32[2,2,4] f32[4,12] f32[12] i32[2,1,4,4]{1,1,0,1,1,1,1,1,1,0,1,1,1,1,1,1,1,1,0,1,1,1,1,1,1,0,1,1,1,1,1,1} "
      "f32[2,2,2,1,2] f32[2,1,2,3]",
      "num_heads=2", "f32[2,2,4] f32[2,2,2,3,2]", WHOLE | 1 << SCORE_BIAS },
    { "f16[2,3,4] f16[4,12] f16[12] i32[2]{3,1}", "num_heads=2", "f16[2,3,4]", 0 },
    { "bf16[2,3,4] bf16[4,12] bf16[12]", "num_heads=2", "bf16[2,3,4]", 0 },
    { "f32[0,3,4] f32[4,12] f32[12]", "num_heads=2", "f32[0,3,4]", 0 },
    { 0 },
};

const struct op op_microsoft_attention = {
    .name = "Attention",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T input, T weights, T bias?, M mask_index?, T past?, T "
                                                    "attention_bias?, M past_sequence_length? -> T output, T present?",
                                       .types = "T: f16 f32 bf16; M: i32",
                                       .attrs_size = sizeof(struct microsoft_attention),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
