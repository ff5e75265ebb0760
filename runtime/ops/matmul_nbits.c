/* MatMulNBits of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = A W' + bias        W[n, k] = (B[n, k] - zero_point) * scale
 *
 * B has numbers of 2, 4 or 8 bits in bytes, [N, blocks of K, bytes of a block]; scales and zero points are those of a block
 * of block_size along K, or, with g_idx, of the block that it has for k. Zero points are packed as B is, or of A's type, which
 * must be known when a model is loaded; without any it is the middle of what the bits can be.
 *
 * W is made in float, once where B is a constant, and so is the product, as in onnxruntime; with accuracy_level 4 that
 * rounds A to 8 bits on its way, which is not done here. Where there is a g_idx, onnxruntime (1.32) does not look at packed
 * zero points, and reads numbers of 2 bits as if they had 4. */
#include "ops/expansion.h"
#include "ops/packed_bits.h"
#include "ops/rank.h"
#include "ops/widen.h"

enum { A, B, SCALES, ZERO_POINTS, GROUPS, BIAS };

struct matmul_nbits {
    int64_t n, k, block;
    int bits;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct matmul_nbits *a = attrs;

    a->n = attr_int(p, "N", 0);
    a->k = attr_int(p, "K", 0);
    a->block = attr_int(p, "block_size", 0);
    attr_int(p, "accuracy_level", 0);
    if (attr_int(p, "weight_prepacked", 0))
        return parse_unsupported(p, "weight_prepacked is not supported");
    if (a->n < 1 || a->k < 1 || a->k > INT64_MAX / 2)
        return parse_error(p, "N is %lld and K %lld, must be at least 1", (long long)a->n, (long long)a->k);
    if (a->block < 16 || a->block > INT64_MAX / 2 || a->block & (a->block - 1))
        return parse_error(p, "block_size is %lld, must be a power of 2 of at least 16", (long long)a->block);
    return bits_parse(p, &a->bits);
}

/* -- as other operators -- */

static int64_t blocks_of(const struct matmul_nbits *a)
{
    return a->k / a->block + (a->k % a->block != 0);
}

/* [N, blocks] as a number for each element of the weights, to be broadcast: [N, blocks, 1], or by g_idx, [N, K]. */
static struct value *for_each(struct emitter *e, const struct node *n, const struct matmul_nbits *a, struct value *v)
{
    const int64_t dims[] = { a->n, blocks_of(a) };

    v = emit_reshape(e, v, 2, dims);
    if (!given(n, GROUPS))
        return emit_unsqueezed(e, v, 2);
    return emit(e, "Gather", "axis=1", 2, v, emit_slice(e, n->in[GROUPS], 0, 0, a->k, 1));
}

static struct value *zeros(struct emitter *e, const struct node *n, const struct matmul_nbits *a)
{
    const int64_t blocks = blocks_of(a), each = 8 / a->bits, dims[] = { a->n, blocks / each + (blocks % each != 0) };
    struct value *z = given(n, ZERO_POINTS);

    if (!z)
        return emit_middle(e, a->bits, F32);
    if (known_input(n, ZERO_POINTS).dtype == U8 || known_input(n, ZERO_POINTS).dtype == UNDEFINED)
        z = emit_slice(e, emit_unpacked(e, emit_reshape(e, z, 2, dims), a->bits), 1, 0, blocks, 1);
    return for_each(e, n, a, emit_cast(e, z, F32));
}

static struct value *weights(struct emitter *e, const struct node *n, const struct matmul_nbits *a)
{
    const int64_t blocks = blocks_of(a), packed[] = { a->n, blocks, a->block / (8 / a->bits) };
    const int64_t whole[] = { a->n, blocks * a->block };
    struct value *w = emit_unpacked(e, emit_reshape(e, n->in[B], 3, packed), a->bits);

    if (given(n, GROUPS))
        w = emit_slice(e, emit_reshape(e, w, 2, whole), 1, 0, a->k, 1);
    w = emit(e, "Sub", "", 2, emit_cast(e, w, F32), zeros(e, n, a));
    w = emit(e, "Mul", "", 2, w, for_each(e, n, a, emit_cast(e, n->in[SCALES], F32)));
    if (!given(n, GROUPS))
        w = emit_slice(e, emit_reshape(e, w, 2, whole), 1, 0, a->k, 1);
    return emit(e, "Transpose", "perm=[1,0]", 1, w);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct matmul_nbits *a = n->attrs;
    const enum dtype dtype = known_input(n, A).dtype;
    struct value *x = emit_widened(e, n->in[A], dtype, WIDEN_HALVES), *y;

    y = emit(e, "MatMul", "", 2, x, weights(e, n, a));
    if (given(n, BIAS))
        y = emit(e, "Add", "", 2, y, emit_cast(e, n->in[BIAS], F32));
    out[0] = emit_narrowed(e, y, n->in[A], dtype, WIDEN_HALVES);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,20] u8[4,2,8] f32[4,2]", "N=4 K=20 block_size=16", "f32[2,3,4]", 1 | 1 << SCALES },
    { "f32[3,20] u8[4,2,16] f32[4,2] u8[4,2]{1,2,130,127,128,0,255,8} - f32[4]",
      "N=4 K=20 block_size=16 bits=8 accuracy_level=1", "f32[3,4]", 1 | 1 << SCALES | 1 << BIAS },
    { "f32[3,70] u8[2,5,4] f32[2,5] u8[4]{27,2,228,1}", "N=2 K=70 block_size=16 bits=2", "f32[3,2]", 1 },
    { "f32[3,40] u8[3,3,8] f32[3,3] u8[3,2]{120,7,153,8,18,15}", "N=3 K=40 block_size=16", "f32[3,3]", 1 },
    { "f32[3,40] u8[3,3,8] f32[3,3] f32[3,3]",
      "{ z = Cast <to = 1> (x3) y0 = com.microsoft.MatMulNBits <N = 3, K = 40, block_size = 16> (x0, x1, x2, z) }",
      "f32[3,3]", 13 },
    { "f32[3,20] u8[2,2,8] f32[2,2] u8[2,1]{120,39} i32[20]{0,1,1,0,0,0,1,1,0,1,0,1,0,1,0,1,0,1,1,1}",
      "N=2 K=20 block_size=16", "f32[3,2]", 1 | 1 << SCALES },
    { "f16[3,32] u8[2,1,16] f16[2,1]", "N=2 K=32 block_size=32 accuracy_level=4", "f16[3,2]", 0 },
    { "f32[0,32] u8[2,1,16] f32[2]", "N=2 K=32 block_size=32", "f32[0,2]", 0 },
    { 0 },
};

const struct op op_matmul_nbits = {
    .name = "MatMulNBits",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){ { .since = 1,
                                   .signature = "T1 A, T2 B, T1 scales, T3 zero_points?, T4 g_idx?, T1 bias? -> T1 Y",
                                   .types = "T1: f16 f32 bf16; T2: u8; T3: f16 f32 bf16 u8; T4: i32",
                                   .attrs_size = sizeof(struct matmul_nbits),
                                   .parse = parse,
                                   .expand = expand,
                                   .cases = cases },
                                 { 0 } },
};
