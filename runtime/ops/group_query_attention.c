/* GroupQueryAttention of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   output = softmax(cap(scale q k') + attention_bias) v        of several heads of queries to one of keys and values
 *
 * q, k and v are [batch, length, heads * size], or all of them in query, one behind the other. The caches are [batch,
 * kv_num_heads, longest, size]: of sample b the first seqlens_k[b] + 1 - length keys (none in the first step, where
 * total_sequence_length is the length) are those of the past; the new ones come behind them. What is not filled is 0 in
 * `present`, whose length is the greater of the past's and total_sequence_length; where onnxruntime shares one buffer of
 * both, it leaves there what was.
 *
 * A query sees no key behind it, and with local_window_size no more than so many: itself, and those before it. With
 * smooth_softmax the weights are those of one key more, of score 0 and value 0; head_sink has its score for each head. In
 * padding the output is what it is: no number of onnxruntime's either. q_norm_weight and k_norm_weight are scales of
 * RMSNormalization of each head, before it is rotated. */
#include "ops/expansion.h"
#include "ops/heads.h"
#include "ops/rank.h"
#include "ops/rotated.h"
#include "ops/widen.h"
#include <math.h>
#include <stdio.h>

enum {
    QUERY,
    KEY,
    VALUE,
    PAST_KEY,
    PAST_VALUE,
    LENGTHS,
    TOTAL,
    COSINE,
    SINE,
    POSITIONS,
    BIAS,
    SINK,
    KEY_SCALE,
    VALUE_SCALE,
    QUERY_NORM,
    KEY_NORM
};                                                        /* inputs */
enum { OUTPUT, PRESENT_KEY, PRESENT_VALUE, SCORES };      /* outputs */
enum { SCORES_NONE, SCORES_BEFORE, SCORES_AFTER, MODES }; /* qk_output */

struct group_query {
    struct heads heads; /* `causal` means what the attribute says */
    int64_t window;     /* 0: none */
    int scores;
    float cap, norm_epsilon;
    bool rotary, interleaved, smooth;
};

/* -- read -- */

static bool parse_cache(struct parse *p)
{
    static const char *const kinds[] = { "NONE", "PER_TENSOR", "PER_CHANNEL", NULL };

    attr_int(p, "kv_cache_bit_width", 0);
    if (attr_choice(p, "k_quant_type", kinds, 0) || attr_choice(p, "v_quant_type", kinds, 0) ||
        input_given(p, KEY_SCALE) || input_given(p, VALUE_SCALE))
        return parse_unsupported(p, "caches that are quantised are not supported");
    if (attr_int(p, "sliding_window_cache", 0))
        return parse_unsupported(p, "sliding_window_cache is not supported");
    return true;
}

static bool parse(struct parse *p, void *attrs)
{
    struct group_query *a = attrs;
    const int64_t window = attr_int(p, "local_window_size", -1), scores = attr_int(p, "qk_output", 0);

    a->heads.scale = attr_float(p, "scale", 0);
    a->heads.causal = attr_int(p, "causal", 1) != 0;
    a->window = window > 0 ? window : 0;
    a->scores = (int)scores;
    a->cap = attr_float(p, "softcap", 0);
    a->norm_epsilon = attr_float(p, "qk_norm_epsilon", 1e-6f);
    a->rotary = attr_int(p, "do_rotary", 0) != 0;
    a->interleaved = attr_int(p, "rotary_interleaved", 0) != 0;
    a->smooth = attr_int(p, "smooth_softmax", 0) == 1 || input_given(p, SINK);
    if (!heads_count(p, "num_heads", &a->heads.heads) || !heads_count(p, "kv_num_heads", &a->heads.kv_heads) ||
        !parse_cache(p))
        return false;
    if (a->heads.heads % a->heads.kv_heads)
        return parse_error(p, "num_heads is %lld, must be a multiple of kv_num_heads, %lld", (long long)a->heads.heads,
                           (long long)a->heads.kv_heads);
    if (scores < 0 || scores >= MODES)
        return parse_error(p, "qk_output is %lld, must be 0 to 2", (long long)scores);
    if (input_given(p, KEY) != input_given(p, VALUE) || input_given(p, PAST_KEY) != input_given(p, PAST_VALUE) ||
        input_given(p, QUERY_NORM) != input_given(p, KEY_NORM))
        return parse_error(p, "of keys and values, pasts, and weights of norms there are both, or none");
    return !a->rotary || (input_given(p, COSINE) && input_given(p, SINE)) ||
           parse_error(p, "do_rotary needs 'cos_cache' and 'sin_cache'");
}

/* -- where things stand -- */

struct places {
    struct value *length;  /* of the new ones: a vector of one */
    struct value *longest; /* of the present */
    struct value *total;   /* the greatest of the batch */
    struct value *first;   /* is there no past? */
    struct value *ends;    /* of each sample: how many keys there are, [batch] */
    struct value *past;    /* and how many of them are of the past */
    struct value *queries; /* where queries, and the new keys, stand, [batch, length] */
};

static struct places places_of(struct emitter *e, const struct node *n)
{
    const int64_t one = 1, whole = -1;
    struct places p = { .length = emit_size(e, n->in[QUERY], 1) };

    p.total = emit_cast(e, emit_reshape(e, n->in[TOTAL], 1, &one), I64);
    p.longest = given(n, PAST_KEY) ? emit(e, "Max", "", 2, p.total, emit_size(e, n->in[PAST_KEY], 2)) : p.total;
    p.ends =
        emit(e, "Add", "", 2, emit_cast(e, emit_reshape(e, n->in[LENGTHS], 1, &whole), I64), emit_ints(e, 1, &one));
    p.first = emit(e, "Equal", "", 2, p.length, p.total);
    p.past = emit(e, "Where", "", 3, p.first, emit_scalar(e, I64, 0), emit(e, "Sub", "", 2, p.ends, p.length));
    p.queries = emit(e, "Add", "", 2, emit_unsqueezed(e, p.past, 1), emit_counted(e, p.length));
    return p;
}

static struct value *zeros(struct emitter *e, struct value *like, struct value *shape)
{
    return emit(e, "Expand", "", 2, emit(e, "CastLike", "", 2, emit_scalar(e, F32, 0), like), shape);
}

/* The new ones, behind those of the past. */
static struct value *present(struct emitter *e, const struct places *p, struct value *past, struct value *x)
{
    const int64_t apart[] = { 1, 3 };
    struct value *cache, *kept, *shape[3] = { emit(e, "Shape", "end=2", 1, x), p->longest, emit_size(e, x, 3) };

    if (past)
        shape[1] = emit(e, "Sub", "", 2, p->longest, emit_size(e, past, 2));
    cache = zeros(e, x, emit(e, "Concat", "axis=0", 3, shape[0], shape[1], shape[2]));
    if (past) {
        kept = emit(e, "Less", "", 2, emit_counted(e, p->longest), emit_unsqueezed(e, p->past, 1));
        kept = emit(e, "Unsqueeze", "", 2, kept, emit_ints(e, 2, apart));
        cache = emit(e, "Where", "", 3, kept, emit(e, "Concat", "axis=2", 2, past, cache),
                     emit(e, "CastLike", "", 2, emit_scalar(e, F32, 0), x));
    }
    return emit(e, "TensorScatter", "axis=2", 3, cache, x, p->past);
}

/* -- what is seen -- */

/* Does a query see a key of the present? [batch, 1, length, longest] */
static struct value *sees(struct emitter *e, const struct group_query *a, const struct places *p)
{
    struct value *const key = emit_counted(e, p->longest), *const query = emit_unsqueezed(e, p->queries, 2);
    struct value *y = a->heads.causal
                          ? emit(e, "LessOrEqual", "", 2, key, query)
                          : emit(e, "Less", "", 2, key, emit_unsqueezed(e, emit_unsqueezed(e, p->ends, 1), 2));

    if (a->window)
        y = emit(e, "And", "", 2, y,
                 emit(e, "Greater", "", 2, key, emit(e, "Sub", "", 2, query, emit_ints(e, 1, &a->window))));
    return emit_unsqueezed(e, y, 1);
}

/* attention_bias has keys before the total alone. */
static struct value *added(struct emitter *e, const struct node *n, const struct places *p, struct value *seen)
{
    struct value *bias = emit_widened(e, n->in[BIAS], known_input(n, BIAS).dtype, WIDEN_HALVES);
    struct value *rest = zeros(e, bias,
                               emit(e, "Concat", "axis=0", 2, emit(e, "Shape", "end=3", 1, bias),
                                    emit(e, "Sub", "", 2, p->longest, emit_size(e, bias, 3))));

    return emit(e, "Where", "", 3, seen, emit(e, "Concat", "axis=3", 2, bias, rest),
                emit(e, "CastLike", "", 2, emit_scalar(e, F32, -INFINITY), bias));
}

/* A score for one key more, of value 0. */
static struct value *with_sink(struct emitter *e, const struct node *n, const struct group_query *a, struct value *mask,
                               bool is_bool)
{
    const int64_t heads[] = { 1, a->heads.heads, 1, 1 }, one = 1;
    struct value *sink, *shape;

    if (is_bool)
        mask = emit(e, "Where", "", 3, mask, emit_scalar(e, F32, 0), emit_scalar(e, F32, -INFINITY));
    sink = given(n, SINK) ? emit_reshape(e, emit_cast(e, n->in[SINK], F32), 4, heads) : emit_scalar(e, F32, 0);
    shape = emit(e, "Concat", "axis=0", 4, emit_size(e, mask, 0), emit_ints(e, 1, &heads[1]), emit_size(e, mask, 2),
                 emit_ints(e, 1, &one));
    sink = emit(e, "Expand", "", 2, sink, shape);
    mask = emit(e, "Expand", "", 2, mask,
                emit(e, "Concat", "axis=0", 2, emit(e, "Shape", "end=3", 1, sink), emit_size(e, mask, 3)));
    return emit(e, "Concat", "axis=3", 2, mask, sink);
}

/* One key more, of 0. */
static struct value *and_zero(struct emitter *e, struct value *x)
{
    const int64_t one = 1;
    struct value *shape =
        emit(e, "Concat", "axis=0", 3, emit(e, "Shape", "end=2", 1, x), emit_ints(e, 1, &one), emit_size(e, x, 3));

    return emit(e, "Concat", "axis=2", 2, x, zeros(e, x, shape));
}

/* -- as other operators -- */

static bool operands(struct emitter *e, const struct node *n, const struct group_query *a, struct value **x)
{
    const int64_t counts[] = { a->heads.heads, a->heads.kv_heads, a->heads.kv_heads };
    const int64_t sum = counts[0] + 2 * counts[1];
    struct value *whole[2];

    if (given(n, KEY)) {
        for (int k = QUERY; k <= VALUE; k++)
            x[k] = emit_heads_apart(e, n->in[k], emit_ints(e, 1, &counts[k]));
        return !e->failed;
    }
    whole[0] = emit_heads_apart(e, n->in[QUERY], emit_ints(e, 1, &sum));
    whole[1] = emit_ints(e, 3, counts);
    return emit_many(e, "Split", "axis=1", 3, x, 2, whole);
}

/* For rotation, as onnxruntime has it: without position_ids padding stands at 1; in the first step the first of them is
 * that of the first of every sequence. */
static struct value *positions(struct emitter *e, const struct node *n, const struct places *p)
{
    const int64_t none[] = { 0, 0 };
    struct value *const at = given(n, POSITIONS);

    if (!at)
        return emit(e, "Where", "", 3, emit(e, "Less", "", 2, p->queries, emit_unsqueezed(e, p->ends, 1)), p->queries,
                    emit_scalar(e, I64, 1));
    return emit(
        e, "Where", "", 3, p->first,
        emit(e, "Add", "", 2, emit(e, "GatherND", "", 2, at, emit_ints(e, 2, none)), emit_counted(e, p->length)), at);
}

/* Queries and new keys, normalised and rotated. */
static void prepare_heads(struct emitter *e, const struct node *n, const struct group_query *a, const struct places *p,
                          struct value **x)
{
    struct value *const at = a->rotary ? positions(e, n, p) : NULL;
    char attrs[48];

    snprintf(attrs, sizeof attrs, "epsilon=%.9e", (double)a->norm_epsilon);
    for (int k = QUERY; k <= KEY; k++) {
        if (given(n, QUERY_NORM))
            x[k] = emit(e, "RMSNormalization", attrs, 2, x[k], n->in[QUERY_NORM + k]);
        if (a->rotary)
            x[k] = emit_rotated(e, x[k], n->in[COSINE], n->in[SINE], at, a->interleaved);
    }
}

static struct value *before_total(struct emitter *e, const struct places *p, struct value *x)
{
    const int64_t none = 0, last = 3;

    return emit(e, "Slice", "", 4, x, emit_ints(e, 1, &none), p->total, emit_ints(e, 1, &last));
}

/* Of keys before the total, the present may be longer; scores are 0 where a key is not seen. */
static struct value *told_scores(struct emitter *e, const struct group_query *a, const struct places *p,
                                 struct value *scores, struct value *seen)
{
    scores = before_total(e, p, scores);
    if (a->scores == SCORES_AFTER)
        return scores;
    return emit(e, "Where", "", 3, before_total(e, p, seen), scores,
                emit(e, "CastLike", "", 2, emit_scalar(e, F32, 0), scores));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct group_query *a = n->attrs;
    const struct places p = places_of(e, n);
    struct heads standard = a->heads;
    struct value *x[3], *in[6], *made[HEADS_OUTPUTS], *seen;
    char attrs[96];

    if (!operands(e, n, a, x))
        return false;
    prepare_heads(e, n, a, &p, x);
    out[PRESENT_KEY] = present(e, &p, given(n, PAST_KEY), x[KEY]);
    out[PRESENT_VALUE] = present(e, &p, given(n, PAST_VALUE), x[VALUE]);
    in[0] = x[QUERY];
    in[1] = a->smooth ? and_zero(e, out[PRESENT_KEY]) : out[PRESENT_KEY];
    in[2] = a->smooth ? and_zero(e, out[PRESENT_VALUE]) : out[PRESENT_VALUE];
    seen = in[3] = sees(e, a, &p);
    if (given(n, BIAS))
        in[3] = added(e, n, &p, in[3]);
    if (a->smooth)
        in[3] = with_sink(e, n, a, in[3], !given(n, BIAS));
    in[4] = in[5] = NULL;
    standard.causal = false; /* the mask says it */
    snprintf(attrs, sizeof attrs, "softcap=%.9e qk_matmul_output_mode=%d", (double)a->cap,
             a->scores == SCORES_AFTER ? 3 : 2);
    if (!emit_heads(e, &standard, true, attrs, in, n->out[SCORES] ? HEADS_OUTPUTS : 1, made))
        return false;
    if (n->out[SCORES])
        out[SCORES] = told_scores(e, a, &p, made[HEADS_SCORES], seen);
    out[OUTPUT] = emit_heads_together(e, made[HEADS_Y]);
    return out[OUTPUT];
}

/* -- test -- */

enum { QKV = 7, PASTS = 1 << PAST_KEY | 1 << PAST_VALUE };

static const struct op_case cases[] = {
    { "f32[2,3,8] f32[2,3,4] f32[2,3,4] - - i32[2]{2,2} i32[]{3}", "num_heads=4 kv_num_heads=2",
      "f32[2,3,8] f32[2,2,3,2] f32[2,2,3,2]", QKV },
    { "f32[2,1,8] f32[2,1,4] f32[2,1,4] f32[2,2,5,2] f32[2,2,5,2] i32[2]{3,2} i32[1]{4}",
      "num_heads=4 kv_num_heads=2 softcap=0.7 scale=0.4 local_window_size=2", "f32[2,1,8] f32[2,2,5,2] f32[2,2,5,2]",
      QKV | PASTS },
    { "f32[1,2,16] - - f32[1,2,1,2] f32[1,2,1,2] i32[1]{2} i32[]{3} f32[4,1] f32[4,1]",
      "num_heads=4 kv_num_heads=2 do_rotary=1 smooth_softmax=1", "f32[1,2,8] f32[1,2,3,2] f32[1,2,3,2]", 1 | PASTS },
    { "f32[1,2,8] f32[1,2,4] f32[1,2,4] - - i32[1]{1} i32[]{2} f32[4,2] f32[4,2] i64[1,2]{2,0} f32[1,1,2,2] f32[2]",
      "num_heads=2 kv_num_heads=1 do_rotary=1 rotary_interleaved=1", "f32[1,2,8] f32[1,1,2,4] f32[1,1,2,4]",
      QKV | 1 << BIAS | 1 << SINK },
    { "f32[1,2,8] f32[1,2,4] f32[1,2,4] - - i32[1]{1} i32[]{2} - - - - - - - f32[4] f32[4]",
      "num_heads=2 kv_num_heads=1 causal=0 qk_norm_epsilon=0.01 qk_output=2",
      "f32[1,2,8] f32[1,1,2,4] f32[1,1,2,4] f32[1,2,2,2]", 0 },
    { "f32[1,2,8] f32[1,2,4] f32[1,2,4] - - i32[1]{1} i32[]{2} - - - - - - - f32[4] f32[4]",
      "num_heads=2 kv_num_heads=1", "f32[1,2,8] f32[1,1,2,4] f32[1,1,2,4]", QKV | 1 << QUERY_NORM | 1 << KEY_NORM },
    { "f16[2,3,8] f16[2,3,4] f16[2,3,4] - - i32[2]{2,1} i32[]{3}",
      "num_heads=2 kv_num_heads=1 k_quant_type='NONE' v_quant_type='NONE'", "f16[2,3,8] f16[2,1,3,4] f16[2,1,3,4]", 0 },
    { "f32[0,3,8] f32[0,3,4] f32[0,3,4] - - i32[0] i32[]{3}", "num_heads=4 kv_num_heads=2",
      "f32[0,3,8] f32[0,2,3,2] f32[0,2,3,2]", 0 },
    { 0 },
};

const struct op op_group_query_attention = {
    .name = "GroupQueryAttention",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T query, T key?, T value?, T_CACHE past_key?, T_CACHE past_value?, M seqlens_k, M "
                           "total_sequence_length, T cos_cache?, T sin_cache?, I position_ids?, T attention_bias?, T "
                           "head_sink?, T_KV_SCALE k_scale?, T_KV_SCALE v_scale?, T q_norm_weight?, T k_norm_weight? "
                           "-> T output, T_CACHE present_key?, T_CACHE present_value?, T output_qk?",
              .types = "T: f16 f32 bf16; T_CACHE: f16 f32 bf16; T_KV_SCALE: f32; M: i32; I: i64",
              .attrs_size = sizeof(struct group_query),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
