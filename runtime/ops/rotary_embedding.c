/* RotaryEmbedding, https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html; Su and others, arXiv:2104.09864
 *
 * The first rotary_embedding_dim numbers of each head (all of them where it is 0) are pairs: number k of the first half
 * with number k of the second, or, interleaved, 2k with 2k + 1. Each pair is rotated by the angle of its position and its
 * place, whose cosine and sine the caches hold:
 *
 *   real = cos * x1 - sin * x2        imag = sin * x1 + cos * x2
 *
 * X is [batch, heads, sequence, head size], or [batch, sequence, heads * head size] with num_heads. Caches are [batch,
 * sequence, half], or [positions, half] of which position_ids, [batch, sequence], tells the rows. Where the rank of X is
 * not known when the model is loaded, num_heads says that it is 3. */
#include "ops/expansion.h"
#include "ops/rank.h"

enum { X, COS, SIN, POSITIONS }; /* inputs */

struct rotary {
    int64_t heads, size; /* of what is rotated; 0: all */
    bool interleaved;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct rotary *a = attrs;
    const int64_t interleaved = attr_int(p, "interleaved", 0);
    const int rank = known_input(parse_node(p), X).rank;

    a->heads = attr_int(p, "num_heads", 0);
    a->size = attr_int(p, "rotary_embedding_dim", 0);
    a->interleaved = interleaved;
    if (interleaved != 0 && interleaved != 1)
        return parse_error(p, "interleaved is %lld, must be 0 or 1", (long long)interleaved);
    if (a->size < 0 || a->size % 2)
        return parse_error(p, "rotary_embedding_dim is %lld, must be even and at least 0", (long long)a->size);
    if (rank >= 0 && rank != 3 && rank != 4)
        return parse_error(p, "'X' has %d dimensions, must have 3 or 4", rank);
    return a->heads > 0 || (a->heads == 0 && rank != 3) ||
           parse_error(p, "num_heads is %lld, must be at least 1 where 'X' has 3 dimensions", (long long)a->heads);
}

/* -- as other operators -- */

/* The angles of each pair, for every head. */
static struct value *angles(struct emitter *e, const struct node *n, int cache, int64_t heads_axis)
{
    struct value *v = n->in[cache];

    if (n->in[POSITIONS])
        v = emit(e, "Gather", "axis=0", 2, v, n->in[POSITIONS]);
    return emit_unsqueezed(e, v, heads_axis);
}

static struct value *rotated(struct emitter *e, const struct rotary *a, struct value *x, struct value *cosine,
                             struct value *sine)
{
    struct value *half[2], *real, *imag;

    if (a->interleaved) {
        half[0] = emit_slice(e, x, -1, 0, INT64_MAX, 2);
        half[1] = emit_slice(e, x, -1, 1, INT64_MAX, 2);
    } else if (!emit_many(e, "Split", "axis=-1 num_outputs=2", 2, half, 1, &x)) {
        return NULL;
    }
    real = emit(e, "Sub", "", 2, emit(e, "Mul", "", 2, cosine, half[0]), emit(e, "Mul", "", 2, sine, half[1]));
    imag = emit(e, "Add", "", 2, emit(e, "Mul", "", 2, sine, half[0]), emit(e, "Mul", "", 2, cosine, half[1]));
    if (!a->interleaved)
        return emit(e, "Concat", "axis=-1", 2, real, imag);
    return emit_shaped(e, emit(e, "Concat", "axis=-1", 2, emit_unsqueezed(e, real, -1), emit_unsqueezed(e, imag, -1)),
                       1, emit(e, "Shape", "", 1, x));
}

/* X with its heads apart: [batch, sequence, heads, head size] of what has three dimensions. */
static struct value *by_heads(struct emitter *e, const struct rotary *a, struct value *x)
{
    struct value *size = emit(e, "Div", "", 2, emit_size(e, x, 2), emit_ints(e, 1, &a->heads));

    return emit_shaped(e, x, 3, emit(e, "Shape", "end=2", 1, x), emit_ints(e, 1, &a->heads), size);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct rotary *const a = n->attrs;
    const int rank = known_input(n, X).rank;
    const bool flat = rank < 0 ? a->heads > 0 : rank == 3;
    struct value *x = flat ? by_heads(e, a, n->in[X]) : n->in[X], *y;

    y = rotated(e, a, a->size ? emit_slice(e, x, -1, 0, a->size, 1) : x, angles(e, n, COS, flat ? 2 : 1),
                angles(e, n, SIN, flat ? 2 : 1));
    if (a->size)
        y = emit(e, "Concat", "axis=-1", 2, y, emit_slice(e, x, -1, a->size, INT64_MAX, 1));
    out[0] = flat ? emit_shaped(e, y, 1, emit(e, "Shape", "", 1, n->in[X])) : y;
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,2,4] f32[5,2] f32[5,2] i64[2,2]{0,4,2,2}", "", "f32[2,3,2,4]", 7 },
    { "f32[2,3,2,4] f32[2,2,2] f32[2,2,2]", "interleaved=1", "f32[2,3,2,4]", 7 },
    { "f32[1,2,12] f32[1,2,2] f32[1,2,2]", "num_heads=2 rotary_embedding_dim=4", "f32[1,2,12]", 7 },
    { "f32[2,2,8] f32[3,1] f32[3,1] i64[2,2]{0,1,2,0}", "num_heads=2 rotary_embedding_dim=2 interleaved=1",
      "f32[2,2,8]", 7 },
    { "f16[1,2,3,4] f16[1,3,2] f16[1,3,2]", "", "f16[1,2,3,4]", 0 },
    { "f32[0,2,3,4] f32[0,3,2] f32[0,3,2]", "", "f32[0,2,3,4]", 0 },
    { 0 },
};

const struct op op_rotary_embedding = {
    .name = "RotaryEmbedding",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 23,
                                       .signature = "T X, T cos_cache, T sin_cache, M position_ids? -> T Y",
                                       .types = "T: f16 f32 bf16; M: i64",
                                       .attrs_size = sizeof(struct rotary),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
