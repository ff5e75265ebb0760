/* RotaryEmbedding of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's RotaryEmbedding, of [batch, heads, length, size] or [batch, length, heads * size]. The caches tell how many
 * numbers of a head are rotated, and, where there is no rotary_embedding_dim, how many it has. One position is that of
 * the first of a sequence. What is not known to have other dimensions when a model is loaded has 3 of `input`, 2 of
 * position_ids. `scale` and is_packed_batching change nothing, as in onnxruntime. */
#include "ops/expansion.h"
#include "ops/heads.h"
#include "ops/rank.h"
#include "ops/rotated.h"

enum { INPUT, POSITIONS, COSINE, SINE };

struct rotary {
    int64_t heads; /* 0: not told */
    bool interleaved;
};

static bool parse(struct parse *p, void *attrs)
{
    struct rotary *a = attrs;
    const int64_t size = attr_int(p, "rotary_embedding_dim", 0);

    a->interleaved = attr_int(p, "interleaved", 0) != 0;
    a->heads = attr_int(p, "num_heads", 0);
    attr_int(p, "is_packed_batching", 0);
    attr_float(p, "scale", 1);
    if (a->heads < 0 || size < 0)
        return parse_error(p, "num_heads is %lld and rotary_embedding_dim %lld, must be at least 0",
                           (long long)a->heads, (long long)size);
    return !size || a->heads || parse_error(p, "rotary_embedding_dim needs num_heads");
}

/* A vector of how many heads x, [batch, length, heads * size], has. */
static struct value *heads_of(struct emitter *e, const struct node *n)
{
    const struct rotary *a = n->attrs;
    const int64_t two = 2;

    if (a->heads)
        return emit_ints(e, 1, &a->heads);
    return emit(e, "Div", "", 2, emit_size(e, n->in[INPUT], 2),
                emit(e, "Mul", "", 2, emit_size(e, n->in[COSINE], 1), emit_ints(e, 1, &two)));
}

/* [batch, length], whatever was given. */
static struct value *positions(struct emitter *e, const struct node *n, struct value *batch, struct value *length)
{
    struct value *p = n->in[POSITIONS];

    if (known_input(n, POSITIONS).rank != 1)
        return p;
    p = emit(e, "Add", "", 2, p, emit_counted(e, length));
    return emit(e, "Expand", "", 2, p, emit(e, "Concat", "axis=0", 2, batch, length));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct rotary *a = n->attrs;
    const int rank = known_input(n, INPUT).rank;
    struct value *x = n->in[INPUT];

    if (rank >= 0 && rank != 3 && rank != 4)
        return expand_error(e, n, KILN_BAD_MODEL, "'input' has %d dimensions, must have 3 or 4", rank);
    if (rank != 4)
        x = emit_heads_apart(e, x, heads_of(e, n));
    x = emit_rotated(e, x, n->in[COSINE], n->in[SINE], positions(e, n, emit_size(e, x, 0), emit_size(e, x, 2)),
                     a->interleaved);
    out[0] = rank != 4 ? emit_heads_together(e, x) : x;
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,8] i64[2,3]{0,4,2,2,1,3} f32[5,2] f32[5,2]", "", "f32[2,3,8]", 13 },
    { "f32[2,3,2,4] i64[2,2]{0,4,2,2} f32[5,2] f32[5,2]",
      "{ s = Constant <value_ints = [2, 3, 2, 4]> () x = Reshape (x0, s) y0 = com.microsoft.RotaryEmbedding (x, x1, "
      "x2, "
      "x3) }",
      "f32[2,3,2,4]", 13 },
    { "f32[2,3,8] i64[1]{2} f32[5,2] f32[5,2]",
      "{ s = Constant <value_ints = [1]> () p = Reshape (x1, s) y0 = com.microsoft.RotaryEmbedding <interleaved = 1> "
      "(x0, p, x2, x3) }",
      "f32[2,3,8]", 13 },
    { "f32[2,2,12] i64[2,2]{0,4,2,2} f32[5,2] f32[5,2]", "num_heads=2 rotary_embedding_dim=4", "f32[2,2,12]", 13 },
    { "f16[1,3,8] i64[1,3]{0,1,1} f16[3,2] f16[3,2]", "scale=1.0 is_packed_batching=0", "f16[1,3,8]", 0 },
    { "f32[0,3,8] i64[0,3] f32[3,2] f32[3,2]", "", "f32[0,3,8]", 0 },
    { 0 },
};

const struct op op_microsoft_rotary_embedding = {
    .name = "RotaryEmbedding",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T input, M position_ids, T cos_cache, T sin_cache -> T output",
                                       .types = "T: f16 f32 bf16; M: i64",
                                       .attrs_size = sizeof(struct rotary),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
