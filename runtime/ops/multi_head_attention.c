/* MultiHeadAttention of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   output = softmax(scale (query + bias) (key + bias)' + key_padding_mask + attention_bias) (value + bias)
 *
 * query, key and value are [batch, length, heads * size]; all of them may be packed in query, [batch, length, heads, 3,
 * size], or key and value in key, [batch, length, heads, 2, size]. A key and a value of [batch, heads, length, size] are
 * those of a past, and have no bias. What is not known to have other dimensions when a model is loaded has three.
 * ops/heads.h has what a mask may be. `qk` are the scores as softmax sees them.
 *
 * With unidirectional a query sees no key behind it, but for the last query, which sees them all, as in onnxruntime: only
 * where there are more new keys than queries makes that a difference. */
#include "ops/expansion.h"
#include "ops/heads.h"
#include "ops/rank.h"
#include <float.h>

enum { QUERY, KEY, VALUE, BIAS, MASK, SCORE_BIAS, PAST_KEY, PAST_VALUE, PAST_LENGTH, INDIRECTION }; /* inputs */
enum { PACKED = 5, APART = 4 };                                                                     /* ranks */

static bool parse(struct parse *p, void *attrs)
{
    if (!heads_parse(p, attrs))
        return false;
    if (input_given(p, PAST_LENGTH) || input_given(p, INDIRECTION))
        return parse_unsupported(p, "'past_sequence_length' and 'cache_indirection' are not supported");
    if (input_given(p, PAST_KEY) != input_given(p, PAST_VALUE))
        return parse_error(p, "'past_key' and 'past_value' come together");
    return true;
}

/* `count` parts of x, [batch, length, heads, count, size], as [batch, length, heads * size] each. */
static bool unpack(struct emitter *e, struct value *x, int count, struct value **to)
{
    struct value *const width = emit(e, "Mul", "", 2, emit_size(e, x, 2), emit_size(e, x, 4));

    for (int k = 0; k < count; k++)
        to[k] = emit_shaped(e, emit(e, "Gather", "axis=3", 2, x, emit_scalar(e, I64, k)), 2,
                            emit(e, "Shape", "end=2", 1, x), width);
    return !e->failed;
}

/* The biases of all three are one behind the other. */
static void add_bias(struct emitter *e, struct value *bias, struct value **x, bool all)
{
    const int64_t nothing = 0;
    struct value *from = emit_ints(e, 1, &nothing), *to;

    for (int k = 0; k < (all ? 3 : 1); k++, from = to) {
        to = emit(e, "Add", "", 2, from, emit_size(e, x[k], 2));
        x[k] = emit(e, "Add", "", 2, x[k], emit(e, "Slice", "", 3, bias, from, to));
    }
}

static bool operands(struct emitter *e, const struct node *n, struct value **x)
{
    const bool apart = known_input(n, KEY).rank == APART;

    if (known_input(n, QUERY).rank == PACKED) {
        if (!unpack(e, n->in[QUERY], 3, x))
            return false;
    } else if (known_input(n, KEY).rank == PACKED) {
        x[0] = n->in[QUERY];
        if (!unpack(e, n->in[KEY], 2, x + 1))
            return false;
    } else if (!given(n, KEY) || !given(n, VALUE)) {
        return expand_error(e, n, KILN_BAD_MODEL, "'key' and 'value' are missing, and 'query' is not packed");
    } else {
        for (int k = QUERY; k <= VALUE; k++)
            x[k] = k && apart ? emit_heads_together(e, n->in[k]) : n->in[k];
    }
    if (given(n, BIAS))
        add_bias(e, n->in[BIAS], x, !apart);
    return !e->failed;
}

/* Added to scores: as little as there is where a query does not see a key. `before` are the keys of the past. */
static struct value *unseen(struct emitter *e, struct value *queries, struct value *before, struct value *keys)
{
    const int64_t one = 1;
    struct value *const query = emit_unsqueezed(e, emit_counted(e, queries), 1), *const key = emit_counted(e, keys);
    struct value *sees = emit(e, "LessOrEqual", "", 2, key, emit(e, "Add", "", 2, query, before));

    sees = emit(e, "Or", "", 2, sees,
                emit(e, "Equal", "", 2, query, emit(e, "Sub", "", 2, queries, emit_ints(e, 1, &one))));
    return emit(e, "Where", "", 3, sees, emit_scalar(e, F32, 0), emit_scalar(e, F32, -(double)FLT_MAX));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct heads *a = n->attrs;
    struct heads all = *a;
    struct value *in[6] = { 0 }, *keys, *own;
    int outputs = HEADS_OUTPUTS;

    if (!operands(e, n, in))
        return false;
    own = keys = emit_size(e, in[1], 1);
    if (given(n, PAST_KEY)) {
        keys = emit(e, "Add", "", 2, keys, emit_size(e, n->in[PAST_KEY], 2));
        in[4] = n->in[PAST_KEY];
        in[5] = n->in[PAST_VALUE];
    }
    in[3] = emit_score_bias(e, n, MASK, SCORE_BIAS, in[0], keys, a->filter);
    all.causal = false;
    if (a->causal) {
        struct value *more = unseen(e, emit_size(e, in[0], 1), emit(e, "Sub", "", 2, keys, own), keys);

        in[3] = in[3] ? emit(e, "Add", "", 2, in[3], more) : more;
    }
    while (outputs > 1 && !n->out[outputs - 1])
        outputs--;
    return emit_heads(e, &all, false, "qk_matmul_output_mode=2", in, outputs, out);
}

/* -- test -- */

enum { QKV = 7, ALL = QKV | 1 << BIAS };

/* Of what is packed the number of dimensions must be known when a model is loaded. */
#define KNOWN "{ s = Constant <value_ints = "
#define MHA   "com.microsoft.MultiHeadAttention "
#define HEADS "num_heads = 2> "

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,5,4] f32[2,5,6]", "num_heads=2", "f32[2,3,6]", QKV },
    { "f32[2,3,4] f32[2,5,4] f32[2,5,6] f32[14] i32[2]{4,2} f32[1,2,3,5]", "num_heads=2 scale=0.3", "f32[2,3,6]",
      ALL | 1 << SCORE_BIAS },
    { "f32[1,3,2,3,2]",
      KNOWN "[1, 3, 2, 3, 2]> () q = Reshape (x0, s) y0, y1, y2 = " MHA "<unidirectional = 1, " HEADS "(q) }",
      "f32[1,3,4] f32[1,2,3,2] f32[1,2,3,2]", 1 },
    { "f32[1,3,2,3,2] f32[12] i32[1,3]{1,0,1}",
      KNOWN "[1, 3, 2, 3, 2]> () q = Reshape (x0, s) y0 = " MHA "<" HEADS "(q, , , x1, x2) }", "f32[1,3,4]", 3 },
    { "f32[2,3,4] f32[2,5,2,2,2]", KNOWN "[2, 5, 2, 2, 2]> () k = Reshape (x1, s) y0 = " MHA "<" HEADS "(x0, k) }",
      "f32[2,3,4]", 3 },
    { "f32[2,3,4] f32[2,2,5,2] f32[2,2,5,3] f32[4]",
      KNOWN "[2, 2, 5, 2]> () k = Reshape (x1, s) y0 = " MHA "<" HEADS "(x0, k, x2, x3) }", "f32[2,3,6]", 15 },
    { "f32[1,2,4] f32[1,2,4] f32[1,2,4] f32[12] i32[1,2,5]{1,1,0,1,1,0,1,1,1,1} - f32[1,2,3,2] f32[1,2,3,2]",
      "num_heads=2 mask_filter_value=-50.0", "f32[1,2,4] f32[1,2,5,2] f32[1,2,5,2]",
      ALL | 1 << PAST_KEY | 1 << PAST_VALUE },
    { "f32[1,2,4] f32[1,2,4] f32[1,2,4] - - f32[1,1,2,2] f32[1,2,0,2] f32[1,2,0,2]", "num_heads=2",
      "f32[1,2,4] f32[1,2,2,2] f32[1,2,2,2]", QKV },
    { "f32[1,2,4] f32[1,2,4] f32[1,2,4] - i32[1]{1}", "num_heads=2", "f32[1,2,4] - - f32[1,2,2,2]", 0 },
    { "f16[2,3,4] f16[2,5,4] f16[2,5,4] f16[12] i32[8]{4,2,0,3,6,0,5,10}", "num_heads=2", "f16[2,3,4]", 0 },
    { "bf16[2,3,4] bf16[2,5,4] bf16[2,5,4]", "num_heads=2", "bf16[2,3,4]", 0 },
    { "f32[0,3,4] f32[0,5,4] f32[0,5,4]", "num_heads=2", "f32[0,3,4]", 0 },
    { 0 },
};

const struct op op_multi_head_attention = {
    .name = "MultiHeadAttention",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T query, T key?, T value?, T bias?, M key_padding_mask?, T attention_bias?, T past_key?, "
                           "T past_value?, M past_sequence_length?, M cache_indirection? -> T output, T present_key?, "
                           "T present_value?, QK qk?",
              .types = "T: f16 f32 bf16; M: i32; QK: f16 f32 bf16",
              .attrs_size = sizeof(struct heads),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
